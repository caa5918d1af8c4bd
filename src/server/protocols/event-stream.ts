import type { HttpResponse } from '../http/http-response.js';
import type { HttpRequest } from '../http/request.js';

export interface EventStreamLimits {
  /** Milliseconds between the comments that keep a stream alive through proxies. */
  readonly pingInterval: number;
  /** A reader that has taken nothing for so many milliseconds, not even those comments, is cut. */
  readonly stallTimeout: number;
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
  readonly #open = new Set<EventWriter>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(limits: EventStreamLimits) {
    this.#limits = limits;
    this.#heartbeat = setInterval(() => {
      for (const writer of this.#open) writer.ping();
    }, limits.pingInterval).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Answers with each event of a stream. Resolves when all is sent, or the reader has gone. */
  async send<Event>(
    response: HttpResponse<HttpRequest>,
    events: AsyncIterable<Event>,
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
    response.waitFor(this.#limits.stallTimeout);
    const writer = new EventWriter(response);
    this.#open.add(writer);
    try {
      // Some browsers wait for the first byte before they tell that there is an answer.
      await writer.write(ping);
      for await (const event of events) await writer.write(form.event(event));
    } catch (error) {
      await writer.write(form.failure(error));
    } finally {
      this.#open.delete(writer);
    }
    response.end(form.end());
  }

  stop(): void {
    clearInterval(this.#heartbeat);
  }
}

const ping = ':\n\n';

/** Writes to one reader, one piece after the other. */
class EventWriter {
  readonly #response: HttpResponse<HttpRequest>;
  /** Ends the wait for the reader; null while nothing waits. */
  #taken: (() => void) | null = null;

  constructor(response: HttpResponse<HttpRequest>) {
    this.#response = response;
    response.whenClosed(() => this.#taken?.());
  }

  /** Resolves when the operating system has taken it, or the reader has gone: so a slow reader holds up its own source. */
  write(text: string): Promise<void> {
    if (this.#response.destroyed || this.#response.closed) return Promise.resolve();
    return new Promise(resolve => {
      this.#taken = () => {
        this.#taken = null;
        resolve();
      };
      this.#response.writeChunk(text, () => this.#taken?.());
    });
  }

  /** Skipped while an earlier write waits. */
  ping(): void {
    if (this.#taken === null && !this.#response.destroyed) this.#response.writeChunk(ping, () => {});
  }
}
