import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Attributes } from '../../src/core/attributes.js';
import type { Json } from '../../src/core/json.js';
import { answerText } from './oracle.js';

/** Who watches. */
export interface ViewerSpec {
  readonly name: string;
  /** Null: anonymous. */
  readonly userId: string | null;
  /** Changes the buckets of anonymous viewers, and nothing else. Null: none. */
  readonly device: string | null;
  /** What the token says beside the id; it wins over what is stored. */
  readonly claims: Attributes | null;
  /** Only these flags; null: all. */
  readonly keys: readonly string[] | null;
  readonly token: string | null;
}

interface Update {
  readonly revision: number;
  readonly snapshot: boolean;
  readonly features: readonly {
    readonly key: string;
    readonly enabled: boolean;
    readonly reason: string;
    readonly variant: string | null;
    readonly value: Json;
  }[];
  readonly removed: readonly string[];
}

interface Result {
  readonly data?: { readonly viewerFeatures: Update } | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

const subscription = `subscription ($keys: [String!], $sinceRevision: Int) {
  viewerFeatures(keys: $keys, sinceRevision: $sinceRevision) { revision snapshot features { key enabled reason variant value } removed }
}`;

export interface ViewerOptions {
  /** The address of some node, asked at each connection. */
  readonly url: () => string;
  /** Told of everything that must not be. */
  readonly violated: (what: string) => void;
}

/**
 * A client as it should be written: it keeps its answers from updates alone, comes back by itself, and says how far it
 * was. It notices when it is taken back in time, sent something without a change, or not first sent the whole set.
 */
export abstract class Viewer {
  /** By flag key, as `answerText` has them. */
  readonly answers = new Map<string, string>();
  revision: number | null = null;
  updates = 0;
  /** How often it was sent the whole set: once a connection. */
  snapshots = 0;
  /** How often it was told that nobody can answer now. */
  unavailable = 0;
  /** When the last update came, as `performance.now()` has it. */
  updatedAt = 0;
  protected isStopped = false;
  #awaitsSnapshot = true;

  constructor(
    readonly spec: ViewerSpec,
    protected readonly options: ViewerOptions,
  ) {}

  abstract start(): void;
  abstract stop(): Promise<void>;
  /** Stops reading from the connection that it has, and begins again. */
  abstract pause(): void;
  abstract resume(): void;
  /** Its connection breaks. */
  abstract drop(): void;

  /** Its connection breaks, and it does not come back. */
  vanish(): void {
    this.isStopped = true;
    this.drop();
  }

  /** Reads no more, for good, and leaves its connection open. */
  fallSilent(): void {
    this.isStopped = true;
    this.pause();
  }

  /** The operation as it is sent; how far the viewer is stands in it at that moment. */
  protected payload(): { query: string; variables: Record<string, unknown> } {
    const viewer = this;
    const { keys } = this.spec;
    return {
      query: subscription,
      variables: {
        ...(keys === null ? {} : { keys }),
        get sinceRevision() {
          return viewer.revision;
        },
      },
    };
  }

  protected connected(): void {
    this.#awaitsSnapshot = true;
  }

  protected receive({ data, errors }: Result): void {
    if (errors !== undefined) this.refused(errors);
    else if (data != null) this.#apply(data.viewerFeatures);
  }

  protected refused(errors: NonNullable<Result['errors']>): void {
    if (errors.every(({ extensions }) => extensions?.code === 'UNAVAILABLE')) this.unavailable += 1;
    else this.violated(`was answered ${JSON.stringify(errors)}`);
  }

  protected violated(what: string): void {
    this.options.violated(`${this.spec.name} at revision ${this.revision} ${what}`);
  }

  #apply(update: Update): void {
    const { revision, snapshot, features, removed } = update;
    this.updates += 1;
    this.updatedAt = performance.now();
    if (this.revision !== null && revision < this.revision) this.violated(`was taken back to revision ${revision}`);
    if (snapshot !== this.#awaitsSnapshot)
      this.violated(snapshot ? 'was sent a second whole set' : 'was not sent the whole set');
    this.#awaitsSnapshot = false;
    this.revision = revision;
    if (snapshot) {
      this.snapshots += 1;
      this.answers.clear();
      if (removed.length > 0) this.violated(`was sent a whole set with removals: ${removed}`);
    } else if (features.length + removed.length === 0) {
      this.violated('was sent an empty update');
    }
    for (const { key, ...told } of features) {
      const answer = answerText(told);
      if (this.answers.get(key) === answer) this.violated(`was told again that ${key} is ${answer}`);
      this.answers.set(key, answer);
    }
    for (const key of removed) {
      if (!this.answers.delete(key)) this.violated(`was told to remove ${key}, which it did not have`);
    }
  }
}

/** The part of a viewer that its headers state. */
export type Sender = Pick<ViewerSpec, 'token' | 'device'>;

export function headersOf({ token, device }: Sender): Record<string, string> {
  return {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(device === null ? {} : { 'x-halyard-device': device }),
  };
}

function waitABit(): Promise<void> {
  return sleep(50 + Math.random() * 250);
}

/** Over WebSocket, through the client that the ecosystem uses. */
export class WsViewer extends Viewer {
  #socket: WebSocket | undefined;
  #done: Promise<void> | undefined;
  #leave = () => {};
  #end = () => {};

  start(): void {
    const viewer = this;
    class Socket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { perMessageDeflate: false });
        viewer.#socket = this;
        this.on('error', () => undefined);
        this.on('open', () => viewer.isStopped && this.terminate());
      }
    }
    const { token, device } = this.spec;
    const client = createClient({
      url: () => `${this.options.url().replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: Socket,
      retryAttempts: Number.POSITIVE_INFINITY,
      shouldRetry: () => !this.isStopped,
      retryWait: waitABit,
      onNonLazyError: () => undefined,
      connectionParams: { authorization: token === null ? null : `Bearer ${token}`, device },
      on: { connected: () => this.connected() },
    });
    this.#done = this.#watch(client);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.#socket?.resume();
    this.#leave();
    // The client does not say when it has ended, if it was connecting just then.
    this.#end();
    await this.#done;
    this.#socket?.terminate();
  }

  pause(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  drop(): void {
    this.#socket?.terminate();
  }

  async #watch(client: Client): Promise<void> {
    while (!this.isStopped) {
      await new Promise<void>(resolve => {
        this.#end = resolve;
        this.#leave = client.subscribe<Result['data']>(this.payload(), {
          next: result => this.receive(result as Result),
          error: error => {
            if (Array.isArray(error)) this.refused(error);
            else if (!this.isStopped && !(error instanceof Error)) {
              this.violated(`was closed for good: ${(error as CloseEvent).code} ${(error as CloseEvent).reason}`);
            }
            resolve();
          },
          complete: resolve,
        });
      });
      this.connected();
      if (!this.isStopped) await waitABit();
    }
  }
}

type CloseEvent = { readonly code?: number; readonly reason?: string };

/** Over server-sent events. */
export class SseViewer extends Viewer {
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #done: Promise<void> | undefined;

  start(): void {
    this.#done = this.#watch();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.#request?.destroy();
    await this.#done;
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  drop(): void {
    this.#request?.destroy();
  }

  async #watch(): Promise<void> {
    while (!this.isStopped) {
      // A node that is down or goes down.
      await this.#stream().catch(() => undefined);
      this.#response = undefined;
      if (!this.isStopped) await waitABit();
    }
  }

  async #stream(): Promise<void> {
    const outgoing = request(`${this.options.url()}/graphql`, {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...headersOf(this.spec),
      },
    });
    this.#request = outgoing;
    outgoing.on('error', () => undefined);
    outgoing.end(JSON.stringify(this.payload()));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    this.#response = response;
    this.connected();
    response.setEncoding('utf8');
    const isStream = response.headers['content-type']?.startsWith('text/event-stream') ?? false;
    let rest = '';
    response.on('data', (chunk: string) => {
      rest += chunk;
      if (!isStream) return;
      const events = rest.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const data = /^data: ?(.+)$/m.exec(event)?.[1];
        if (/^event: next$/m.test(event) && data !== undefined) this.receive(JSON.parse(data));
      }
    });
    await once(response, 'close');
    if (!isStream && rest !== '' && response.complete) this.receive(JSON.parse(rest));
  }
}
