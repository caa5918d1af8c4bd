import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Backend } from '../../backends/backend.js';
import { type Evaluation, evaluationReasons } from '../../core/evaluate.js';
import type { Subject } from '../../core/subject.js';
import type { FeatureObserver } from '../../features/observer.js';
import type { FeatureServiceStatus } from '../../features/service.js';
import type { FeaturesUpdate } from '../../features/subscriber.js';
import { EvaluationTally } from './evaluation-tally.js';
import { observeBackend } from './observed-backend.js';

/** Seconds: from a push at once to one behind ten thousand others or an outage. */
const pushBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Seconds: from an indexed read to the statement timeout. */
const callBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type StatusGauge = readonly [name: string, help: string, value: (status: FeatureServiceStatus) => number];

const gauges: readonly StatusGauge[] = [
  ['halyard_revision', 'The last revision of the change log that was applied.', status => status.revision],
  [
    'halyard_revision_age_seconds',
    'Seconds since the change log was last read to its end.',
    status => status.age / 1_000,
  ],
  ['halyard_flags', 'Flags in memory.', status => status.flags],
  [
    'halyard_invalid_flags',
    'Flags whose stored conditions, variants or rules are not valid: those match nobody.',
    status => status.invalidFlags,
  ],
  ['halyard_subscribers', 'Subscribers who are pushed their own answers.', status => status.subscribers],
  ['halyard_targeting_cache_users', 'Users whose targeting is kept.', status => status.cache.users],
];

const counters: readonly StatusGauge[] = [
  ['halyard_targeting_cache_hits_total', 'Users whose targeting was found in memory.', status => status.cache.hits],
  [
    'halyard_targeting_cache_misses_total',
    'Users whose targeting had to be read from the database.',
    status => status.cache.misses,
  ],
];

/** Counts what the feature service and its database do. */
export class FeatureMetrics implements FeatureObserver {
  readonly #registry: Registry;
  readonly #tally = new EvaluationTally();
  /** Pushes since the last scrape, counted in plain numbers: there may be ten thousand at once. */
  readonly #pushed = { snapshot: 0, difference: 0 };
  readonly #delays: Histogram;
  readonly #calls: Histogram<'call'>;
  readonly #errors: Counter<'call' | 'kind'>;

  /** @throws when the registry has them already: a registry is for one service. */
  constructor(registry: Registry) {
    this.#registry = registry;
    const registers = [registry];
    const tally = this.#tally;
    new Counter({
      name: 'halyard_evaluations_total',
      help: 'Answers given to queries and to subscribers, by reason. Large sets are sampled: one of 16 counts for all.',
      labelNames: ['reason'],
      registers,
      collect() {
        this.reset();
        for (const reason of evaluationReasons) this.inc({ reason }, tally.counts[reason]);
      },
    });
    const pushed = this.#pushed;
    new Counter({
      name: 'halyard_pushes_total',
      help: 'Updates handed to subscribers: snapshot, the first of each, or difference.',
      labelNames: ['kind'],
      registers,
      collect() {
        for (const kind of ['snapshot', 'difference'] as const) {
          if (pushed[kind] > 0) this.inc({ kind }, pushed[kind]);
          pushed[kind] = 0;
        }
      },
    });
    this.#delays = new Histogram({
      name: 'halyard_push_delay_seconds',
      help: 'From a change being applied here, or a slow subscriber asking, to the difference being handed over.',
      buckets: pushBuckets,
      registers,
    });
    this.#calls = new Histogram({
      name: 'halyard_database_call_duration_seconds',
      help: 'Time spent waiting for the database, by call.',
      labelNames: ['call'],
      buckets: callBuckets,
      registers,
    });
    this.#errors = new Counter({
      name: 'halyard_database_errors_total',
      help: 'Calls of the database that failed: unavailable, or unexpected.',
      labelNames: ['call', 'kind'],
      registers,
    });
  }

  readonly seesEveryAnswer = false;

  onEvaluated(evaluation: Evaluation): void {
    this.#tally.add(evaluation);
  }

  onEvaluatedAll(evaluations: readonly Evaluation[]): void {
    this.#tally.addAll(evaluations);
  }

  onPushed({ snapshot, features }: FeaturesUpdate, _subject: Subject, delay: number): void {
    this.#tally.addAll(features);
    this.#pushed[snapshot ? 'snapshot' : 'difference'] += 1;
    if (!snapshot) this.#delays.observe(delay / 1_000);
  }

  /** The same backend, its calls timed and its failures counted. */
  observe(backend: Backend): Backend {
    return observeBackend(backend, (call, seconds, failure) => {
      this.#calls.observe({ call }, seconds);
      if (failure !== null) this.#errors.inc({ call, kind: failure });
    });
  }

  /** From now on scrapes tell the status too. */
  follow(status: () => FeatureServiceStatus): void {
    const registers = [this.#registry];
    for (const [name, help, value] of gauges) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value(status()));
        },
      });
    }
    for (const [name, help, value] of counters) {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value(status()));
        },
      });
    }
  }
}
