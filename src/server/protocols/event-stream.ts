import type { Pullable, Reader } from '../../streams/pulled.js';
import { eachInSlices } from '../../streams/slices.js';
import type { HttpResponse } from '../http/http-response.js';
import type { HttpRequest } from '../http/request.js';

export interface EventStreamLimits {
  /** Milliseconds between the comments that keep a stream alive through proxies. */
  readonly pingInterval: number;
  /** A reader that has taken nothing for so many milliseconds, not even those comments, is cut. */
  readonly stallTimeout: number;
}

/** What events come from, until it is told to end. */
interface EventSource<Event> extends Pullable<Event> {
  end(): void;
}

/** How the events of a protocol are written. Each text ends with an empty line. */
export interface EventForm<Event> {
  readonly event: (event: Event) => string;
  /** For what the stream throws. */
  readonly failure: (error: unknown) => string;
  /** Written at the end; undefined: nothing. */
  readonly end: () => string | undefined;
}

interface SendOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Writes server-sent events. */
export class EventStreams {
  readonly #limits: EventStreamLimits;
  readonly #open = new Set<{ ping(): void }>();
  readonly #heartbeat: NodeJS.Timeout;
  #isBeating = false;

  constructor(limits: EventStreamLimits) {
    this.#limits = limits;
    this.#heartbeat = setInterval(() => void this.#beat(), limits.pingInterval).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Answers with each event of a stream. Resolves when all is sent, or the reader has gone. */
  send<Event>(
    response: HttpResponse<HttpRequest>,
    events: EventSource<Event>,
    form: EventForm<Event>,
    { status = 200, headers = {} }: SendOptions = {},
  ): Promise<void> {
    response.writeHead(status, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      // Proxies are not to wait until they have more.
      'x-accel-buffering': 'no',
      ...headers,
    });
    // Node keeps the headers for as long as the stream: as many parts, unless they are written before the body.
    response.flushHeaders();
    response.waitFor(this.#limits.stallTimeout);
    const writer = new EventWriter(response, events, form);
    this.#open.add(writer);
    return writer.run().then(() => {
      this.#open.delete(writer);
      response.end(form.end());
    });
  }

  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    await eachInSlices(this.#open, writer => writer.ping());
    this.#isBeating = false;
  }

  stop(): void {
    clearInterval(this.#heartbeat);
  }
}

const ping = ':\n\n';

/** Writes a stream to one reader, one piece after the other: a slow reader holds up its own source. */
class EventWriter<Event> implements Reader<Event> {
  readonly #response: HttpResponse<HttpRequest>;
  readonly #events: EventSource<Event>;
  readonly #form: EventForm<Event>;
  /** What follows the piece that waits for the reader; null while none does. */
  #next: (() => void) | null = null;
  #resolve: () => void = () => {};

  constructor(response: HttpResponse<HttpRequest>, events: EventSource<Event>, form: EventForm<Event>) {
    this.#response = response;
    this.#events = events;
    this.#form = form;
    response.whenClosed(this.#taken);
  }

  /** Resolves when all is written, or the reader has gone. */
  run(): Promise<void> {
    return new Promise(resolve => {
      this.#resolve = resolve;
      // Some browsers wait for the first byte before they tell that there is an answer.
      this.#write(ping, this.#pull);
    });
  }

  take(event: Event): void {
    try {
      this.#write(this.#form.event(event), this.#pull);
    } catch (error) {
      this.#events.end();
      this.fail(error);
    }
  }

  end(): void {
    this.#resolve();
  }

  fail(error: unknown): void {
    this.#write(this.#form.failure(error), this.#resolve);
  }

  /** Skipped while an earlier write waits. */
  ping(): void {
    if (this.#next === null && !this.#response.destroyed) this.#response.writeChunk(ping, () => {});
  }

  readonly #pull = (): void => this.#events.pull(this);

  /** The operating system has taken the piece, or the reader has gone. */
  readonly #taken = (): void => {
    const next = this.#next;
    this.#next = null;
    next?.();
  };

  #write(text: string, next: () => void): void {
    if (this.#response.destroyed || this.#response.closed) {
      queueMicrotask(next);
      return;
    }
    this.#next = next;
    this.#response.writeChunk(text, this.#taken);
  }
}
