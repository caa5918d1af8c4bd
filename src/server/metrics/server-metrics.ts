import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { collectProcessMetrics } from './process-metrics.js';

/** Names an operation for metrics. There are few such names, and a caller cannot make up one. */
export interface OperationLabels {
  /** `query`, `mutation`, `subscription`; `unknown` where it could not be read. */
  readonly kind: string;
  /** The root field; `several` where there are, `none` where it could not be read. */
  readonly field: string;
}

/** Connections that are open right now. */
export interface OpenConnections {
  readonly sockets: number;
  readonly streams: number;
}

/** Seconds: from a cached answer to one that waits for a database. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts what the server does, whatever its schema. Nothing is counted under a name that a caller makes up. */
export class ServerMetrics {
  readonly registry: Registry;
  readonly #durations: Histogram<'kind' | 'field'>;
  readonly #subscriptions: Gauge<'field'>;
  readonly #refusals: Counter<'limit'>;
  readonly #repeated: Counter;
  /** By labels and outcome, what was not yet added to the library's counter. */
  readonly #answered = new Map<OperationLabels, Map<string, number>>();
  readonly #requestsAnswered = new Map<string, Map<number, number>>();
  readonly #stop: () => void;

  /** @throws when the registry has them already: a registry is for one server. */
  constructor(registry: Registry, open: () => OpenConnections) {
    this.registry = registry;
    const registers = [registry];
    const requestsAnswered = this.#requestsAnswered;
    new Counter({
      name: 'halyard_http_requests_total',
      help: 'HTTP requests answered, by route and status. A WebSocket that was opened counts as 101.',
      labelNames: ['route', 'status'],
      registers,
      collect() {
        for (const [route, statuses] of requestsAnswered) {
          for (const [status, times] of statuses) this.inc({ route, status }, times);
        }
        requestsAnswered.clear();
      },
    });
    const answered = this.#answered;
    new Counter({
      name: 'halyard_operations_total',
      help: 'GraphQL operations, by kind, root field and outcome: ok, or the code of the first error. A subscription counts once it has begun.',
      labelNames: ['kind', 'field', 'outcome'],
      registers,
      collect() {
        for (const [{ kind, field }, outcomes] of answered) {
          for (const [outcome, times] of outcomes) this.inc({ kind, field, outcome }, times);
        }
        answered.clear();
      },
    });
    this.#durations = new Histogram({
      name: 'halyard_operation_duration_seconds',
      help: 'How long the execution of queries and mutations took, by kind and root field.',
      labelNames: ['kind', 'field'],
      buckets: durationBuckets,
      registers,
    });
    this.#subscriptions = new Gauge({
      name: 'halyard_subscriptions',
      help: 'Subscriptions that are open, by root field.',
      labelNames: ['field'],
      registers,
    });
    this.#refusals = new Counter({
      name: 'halyard_refusals_total',
      help: 'Connections, requests and subscriptions refused, by the limit that they met.',
      labelNames: ['limit'],
      registers,
    });
    this.#repeated = new Counter({
      name: 'halyard_repeated_answers_total',
      help: 'Queries and OFREP requests answered as before, because nothing had changed: nothing was evaluated for them.',
      registers,
    });
    for (const [name, help] of [
      ['sockets', 'WebSockets that are open.'],
      ['streams', 'Streams of server-sent events that are open.'],
    ] as const) {
      new Gauge({
        name: `halyard_${name}`,
        help,
        registers,
        collect() {
          this.set(open()[name]);
        },
      });
    }
    this.#stop = collectProcessMetrics(registry);
  }

  countRequest(route: string, status: number): void {
    countIn(this.#requestsAnswered, route, status);
  }

  /**
   * @param labels the same object for the same words: operations are counted by it until the next scrape.
   * @param seconds how long it took; absent where it was refused before it ran, or is a subscription.
   */
  countOperation(labels: OperationLabels, outcome: string, seconds?: number): void {
    countIn(this.#answered, labels, outcome);
    if (seconds !== undefined) this.#durations.observe({ kind: labels.kind, field: labels.field }, seconds);
  }

  /** @returns a function to call when the subscription has ended; more than once is harmless. */
  countSubscription({ field }: OperationLabels): () => void {
    this.#subscriptions.inc({ field });
    let isOpen = true;
    return () => {
      if (isOpen) this.#subscriptions.dec({ field });
      isOpen = false;
    };
  }

  countRefusal(limit: 'connections' | 'requests' | 'subscriptions'): void {
    this.#refusals.inc({ limit });
  }

  /** @param labels the same object for the same words: answers are counted by it until the next scrape. */
  countRepeated(labels: OperationLabels): void {
    this.countRepeatedAnswer();
    countIn(this.#answered, labels, 'ok');
  }

  /** The answer to a request that is no operation was given again. */
  countRepeatedAnswer(): void {
    this.#repeated.inc();
  }

  /** Stops watching the process. The counts can still be read. */
  close(): void {
    this.#stop();
  }
}

/** Counted here and added to the library's counter at the scrape, because that counter takes microseconds a call. */
function countIn<Key, Under>(counts: Map<Key, Map<Under, number>>, key: Key, under: Under): void {
  let known = counts.get(key);
  if (known === undefined) {
    known = new Map();
    counts.set(key, known);
  }
  known.set(under, (known.get(under) ?? 0) + 1);
}
