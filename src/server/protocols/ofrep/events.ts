import type { Verifier } from '../../../auth/verifier.js';
import type { Evaluation } from '../../../core/evaluate.js';
import { LastAnswers } from '../../../features/last-answers.js';
import type { FeaturesUpdate } from '../../../features/subscriber.js';
import { Bell } from '../../../streams/bell.js';
import { endable } from '../../../streams/endable.js';
import type { Deadlines } from '../../http/deadlines.js';
import type { Exchange, Route } from '../../http/route.js';
import type { OpenStreams } from '../../operations/open-streams.js';
import type { EventForm, EventStreams } from '../event-stream.js';
import type { TokenEnds } from '../token-ends.js';
import { digestOf } from './answers.js';
import type { OfrepFlags } from './flags.js';
import { refuse, refuseMethod } from './refuse.js';
import type { ReadTicket, Tickets } from './tickets.js';
import type { Watched, WatchedContexts } from './watched-contexts.js';

export const eventsPath = '/ofrep/v1/events';

export interface EventsOptions {
  readonly flags: OfrepFlags;
  readonly tickets: Tickets;
  readonly contexts: WatchedContexts;
  readonly streams: OpenStreams;
  readonly eventStreams: EventStreams;
  readonly whenTokenEnds: TokenEnds;
  /** See `Verifier`. */
  readonly whenApiKeyLeaves: Verifier['whenApiKeyLeaves'];
  readonly deadlines: Deadlines;
}

/** Tells a provider to ask for all answers again. */
interface Refetch {
  /** Names the answers that the viewer has after that; null: not known here. */
  readonly id: string | null;
  /** The revision that the answers must not be older than. */
  readonly revision: number;
}

/** Milliseconds until a provider opens its stream again: not all at once after a start of the server. */
const leastRetry = 1_000;
const retrySpread = 4_000;
/** Bytes that a stream takes whose context is not known here. */
const unknownBytes = 200;

/** The stream of events of a ticket: tells when the answers of the viewer change, never how. */
export function createEventsRoute(options: EventsOptions): Route {
  const { flags, tickets, contexts, streams, eventStreams, whenTokenEnds, whenApiKeyLeaves, deadlines } = options;

  async function handle(exchange: Exchange): Promise<void> {
    const { request, response, address } = exchange;
    if (request.method !== 'GET') return refuseMethod(response, 'GET');
    const ticket = tickets.read(ticketIn(request.url));
    const known = ticket === null ? undefined : contexts.get(ticket.id);
    let end = () => {};
    let isRevoked = false;
    const forgetKey =
      ticket?.apiKeyId == null
        ? () => {}
        : whenApiKeyLeaves(ticket.apiKeyId, () => {
            isRevoked = true;
            end();
          });
    if (ticket === null || isRevoked || (known?.endsAt ?? Number.POSITIVE_INFINITY) <= Date.now()) {
      forgetKey();
      return refuse(response, 401, 'UNAUTHENTICATED', noTicket);
    }
    const last = request.headers['last-event-id'];
    const events = new ViewerEvents({ flags, contexts, ticket, lastId: typeof last === 'string' ? last : null });
    const stream = endable(events.run());
    stream.whenEnded(() => events.stop());
    end = () => stream.end();
    response.whenClosed(() => {
      forgetKey();
      stream.end();
    });
    const hasRoom = streams.add(stream, address, known?.bytes ?? unknownBytes);
    if (!hasRoom || !exchange.stayOpen()) {
      stream.end();
      response.setHeader('retry-after', '5');
      return refuse(response, 429, 'TOO_MANY_CONNECTIONS', 'This address holds as many streams open as it may.');
    }
    // Where the credential is not known, it lives at least as long as the ticket.
    let forgetEnd = deadlines.add(ticket.expiresAt, () => stream.end());
    events.onContext = watched => {
      forgetEnd();
      if (known === undefined && !streams.add(stream, address, watched.bytes)) return stream.end();
      const end = () => {
        contexts.forget(ticket.id, watched);
        stream.end();
      };
      forgetEnd = whenTokenEnds(watched.caller, end, watched.endsAt);
    };
    response.whenClosed(() => forgetEnd());
    const retry = leastRetry + Math.round(Math.random() * retrySpread);
    // Not awaited: this function would stay for as long as the stream.
    return eventStreams.send(response, stream, formOf(tickets, retry));
  }

  return { path: eventsPath, method: 'any', caller: 'anybody', refuse, handle };
}

const noTicket =
  'The ticket of this stream does not count, or does no more: ask for all answers again, which have a new one.';

function ticketIn(url = ''): string {
  const query = url.indexOf('?');
  return query === -1 ? '' : (new URLSearchParams(url.slice(query)).get('ticket') ?? '');
}

function formOf(tickets: Tickets, retry: number): EventForm<Refetch> {
  let before = `retry: ${retry}\n`;
  return {
    event: ({ id, revision }) => {
      const name = id === null ? '' : `id: ${id}\n`;
      const data = JSON.stringify({ type: 'refetchEvaluation', etag: tickets.mark(revision) });
      const text = `${before}${name}event: message\ndata: ${data}\n\n`;
      before = '';
      return text;
    },
    // Providers come back from an end. There is nothing that could be told.
    failure: () => ':\n\n',
    end: () => undefined,
  };
}

interface ViewerEventsOptions extends Pick<EventsOptions, 'flags' | 'contexts'> {
  readonly ticket: ReadTicket;
  /** The last event that the provider has had; null: none is known. */
  readonly lastId: string | null;
}

/** The events of one stream. While its context is not known here, any change of a flag may be one for its viewer. */
class ViewerEvents {
  /** Called when the context is known, before its first event. */
  onContext: (watched: Watched) => void = () => {};
  readonly #options: ViewerEventsOptions;
  #leave: () => void = () => {};
  #isStopped = false;

  constructor(options: ViewerEventsOptions) {
    this.#options = options;
  }

  /** Ends {@link run}, also while it waits. */
  stop(): void {
    this.#isStopped = true;
    this.#leave();
  }

  async *run(): AsyncGenerator<Refetch, void, undefined> {
    const { contexts, ticket } = this.#options;
    let { lastId } = this.#options;
    while (!this.#isStopped) {
      const watched = contexts.get(ticket.id);
      if (watched !== undefined) {
        this.onContext(watched);
        if (this.#isStopped) return;
        yield* this.#changesFor(watched, lastId);
        return;
      }
      yield* this.#anyChanges();
      // What the provider has read meanwhile is not known.
      lastId = null;
    }
  }

  /** Each change of any flag, until the context is known. */
  async *#anyChanges(): AsyncGenerator<Refetch, void, undefined> {
    const { flags, contexts, ticket } = this.#options;
    const bell = new Bell();
    this.#leave = () => bell.end();
    const stopListening = flags.onFlagsChanged(() => bell.ring());
    const cancel = contexts.whenKnown(ticket.id, () => bell.end());
    try {
      let told: number | null = null;
      do {
        // The log may have been read twice before this was told once.
        if (flags.revision === told) continue;
        told = flags.revision;
        yield { id: null, revision: told };
      } while (await bell.wait());
    } finally {
      cancel();
      stopListening();
    }
  }

  /** The first state, unless the provider has it, and each change of the viewer's own answers. */
  async *#changesFor({ context, keys }: Watched, lastId: string | null): AsyncGenerator<Refetch, void, undefined> {
    const updates = this.#options.flags.subscribe(context, { keys });
    this.#leave = () => void updates.return?.();
    const name = new AnswersName();
    try {
      for await (const update of updates) {
        const id = name.after(update);
        if (!update.snapshot || id !== lastId) yield { id, revision: update.revision };
      }
    } finally {
      void updates.return?.();
    }
  }
}

/** The name of all answers of a viewer: the same answers have the same on every node. An update costs what it changes. */
class AnswersName {
  readonly #answers = new LastAnswers();
  #digest = 0n;

  after({ features, removed }: FeaturesUpdate): string {
    for (const key of removed) {
      this.#toggle(this.#answers.get(key));
      this.#answers.delete(key);
    }
    for (const evaluation of features) {
      this.#toggle(this.#answers.get(evaluation.key));
      this.#toggle(evaluation);
      this.#answers.set(evaluation);
    }
    return this.#digest.toString(36);
  }

  /** Takes an answer in, or out again. */
  #toggle(evaluation: Evaluation | undefined): void {
    if (evaluation !== undefined) this.#digest ^= digestOf(evaluation);
  }
}
