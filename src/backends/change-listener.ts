import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Log } from '../core/log.js';
import { forLog } from './errors.js';
import { notesChannel } from './node-notes.js';

export interface ChangeListenerOptions {
  readonly config: pg.ClientConfig;
  /** Called at each notification, and each time that listening begins again, since notifications may have been missed. */
  readonly hint: () => void;
  /** The same for notifications that a node has left a note. */
  readonly notes: () => void;
  /** Sends a text to {@link echoChannel} on the way that changes take. */
  readonly echo: (text: string) => Promise<unknown>;
  /** Milliseconds between two heartbeats, and the timeout of each: a half-open connection reports no error by itself. */
  readonly heartbeatMs: number;
  readonly log: Log;
}

const shortestBackoff = 100;
const longestBackoff = 2_000;

const unheard =
  'Notifications of changes do not arrive, so changes of other nodes are seen only when the log is read, every few seconds. The ' +
  'address leads to a pooler that shares connections between transactions, or to another server: set DATABASE_LISTEN_URL to the ' +
  'PostgreSQL server itself.';

/** For notifications that a node sends to itself. */
export const echoChannel = 'halyard_echo';

/** Listens (LISTEN) on a separate connection, reconnects by itself, and reports it if notifications do not arrive. */
export class ChangeListener {
  readonly #options: ChangeListenerOptions;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoff = shortestBackoff;
  #isListening = false;
  /** Whether the log has the present loss of the connection. */
  #isTold = false;
  /** The echo that has not arrived yet. */
  #awaited: string | undefined;
  #isDeaf = false;
  #isStopped = false;

  constructor(options: ChangeListenerOptions) {
    this.#options = options;
    this.#start();
  }

  /** Checks the connection now, without waiting for the next heartbeat. */
  check(): void {
    if (this.#isStopped) return;
    if (this.#client === undefined) {
      clearTimeout(this.#timer);
      this.#start();
    } else if (this.#isListening) {
      clearTimeout(this.#timer);
      this.#beat(this.#client);
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }

  #start(): void {
    const { config, hint, notes, heartbeatMs } = this.#options;
    const client = new pg.Client({ ...config, query_timeout: heartbeatMs });
    this.#client = client;
    client.on('notification', ({ channel, payload }) => {
      if (channel === notesChannel) notes();
      else if (channel !== echoChannel) hint();
      else if (payload === this.#awaited) this.#hear();
    });
    client.on('error', error => this.#noteLoss(client, error));
    client.on('end', () => this.#noteLoss(client, new Error('The connection was closed.')));
    client
      .connect()
      .then(() => client.query(`LISTEN ${echoChannel}`))
      .then(() => client.query(`LISTEN ${notesChannel}`))
      .then(() => client.query('LISTEN halyard_changes'))
      .then(() => {
        if (client !== this.#client) return;
        this.#isListening = true;
        this.#isTold = false;
        this.#backoff = shortestBackoff;
        hint();
        notes();
        this.#beatLater(client);
        this.#askForEcho(client);
      })
      .catch((error: Error) => this.#noteLoss(client, error));
  }

  /** LISTEN succeeds behind a pooler that then drops all notifications. */
  #askForEcho(client: pg.Client): void {
    const { echo, heartbeatMs, log } = this.#options;
    const text = randomUUID();
    this.#awaited = text;
    const miss = () => {
      if (this.#isStopped || client !== this.#client || this.#awaited !== text || this.#isDeaf) return;
      this.#isDeaf = true;
      log.warn({}, unheard);
    };
    // Without the echo there is nothing to miss.
    echo(text).then(
      () => setTimeout(miss, heartbeatMs).unref(),
      () => undefined,
    );
  }

  #hear(): void {
    this.#awaited = undefined;
    if (this.#isDeaf) this.#options.log.info({}, 'Notifications of changes arrive again.');
    this.#isDeaf = false;
  }

  #beatLater(client: pg.Client): void {
    this.#timer = setTimeout(() => this.#beat(client), this.#options.heartbeatMs);
    this.#timer.unref();
  }

  #beat(client: pg.Client): void {
    client.query('SELECT 1').then(
      () => client === this.#client && this.#beatLater(client),
      (error: Error) => this.#noteLoss(client, error),
    );
  }

  #noteLoss(client: pg.Client, error: Error): void {
    if (this.#isStopped || client !== this.#client) return;
    this.#client = undefined;
    this.#isListening = false;
    clearTimeout(this.#timer);
    client.end().catch(() => undefined);
    if (!this.#isTold) {
      const { log } = this.#options;
      log.warn({ err: forLog(error) }, 'The connection that listens for changes broke. Connecting again.');
    }
    this.#isTold = true;
    // With jitter, since otherwise all nodes reconnect at the same instant.
    this.#timer = setTimeout(() => this.#start(), this.#backoff * (0.5 + Math.random()));
    this.#timer.unref();
    this.#backoff = Math.min(this.#backoff * 2, longestBackoff);
  }
}
