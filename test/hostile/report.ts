import type { Ending, Sample } from '../chaos/node-process.js';
import { megabytes } from './aftermath.js';
import type { Act, Attack } from './attack.js';
import type { Probe } from './probe.js';
import { excerpt } from './verdict.js';

/** Something was not as it must be. */
export interface Violation {
  /** The kind of attack, or what was looked at. */
  readonly kind: string;
  readonly what: string;
  /** What the attack was drawn with, as JSON, or during which attack it was; empty where that is not known. */
  readonly parameters: string;
}

export interface HostileResult {
  readonly seed: number;
  /** By kind of attack and outcome, how often. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly violations: readonly Violation[];
  /** Milliseconds that an answer of `/health` took at most. */
  readonly longestWait: number;
  readonly probes: number;
  /** Bytes, while attacked. */
  readonly peak: { readonly heapUsed: number; readonly external: number; readonly rss: number };
  /** Bytes of heap after a third of the attacks and after all; null: not measured. */
  readonly heap: { readonly baseline: number | null; readonly after: number | null };
  /** Null: it was not asked to end, or was down. */
  readonly ending: Ending | null;
}

/** Severity from which a line of the log is an error. */
const errorLevel = 50;

/** Collects what a run finds. */
export class Findings {
  acts = 0;
  /** What is under way, where that is one thing at a time. */
  current = '';
  readonly #seed: number;
  readonly #outcomes = new Map<string, Map<string, number>>();
  readonly #violations: Violation[] = [];
  #peak = { heapUsed: 0, external: 0, rss: 0 };
  #heap: HostileResult['heap'] = { baseline: null, after: null };
  #probe = { longest: 0, questions: 0 };
  #ending: Ending | null = null;
  #line = '';

  constructor(seed: number) {
    this.#seed = seed;
  }

  violated(kind: string, what: string, parameters = ''): void {
    this.#violations.push({ kind, what: excerpt(what), parameters });
  }

  came({ name, expected }: Attack, { parameters }: Act, outcome: string, isRight: boolean): void {
    this.acts += 1;
    const known = this.#outcomes.get(name) ?? new Map<string, number>();
    this.#outcomes.set(name, known.set(outcome, (known.get(outcome) ?? 0) + 1));
    if (!isRight) this.violated(name, `${outcome}; expected ${expected.join(' or ')}`, JSON.stringify(parameters));
  }

  /** Takes what the server wrote to its standard error: lines of its log, and whatever else that should not be. */
  said(text: string): void {
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      const error = errorIn(line);
      if (error !== null) this.violated('log', error, this.current);
    }
  }

  saw({ heapUsed, external, rss }: Sample): void {
    this.#peak = {
      heapUsed: Math.max(this.#peak.heapUsed, heapUsed),
      external: Math.max(this.#peak.external, external),
      rss: Math.max(this.#peak.rss, rss),
    };
  }

  settled(baseline: number | null, after: number): void {
    this.#heap = { baseline, after };
  }

  probed({ longest, questions }: Probe): void {
    this.#probe = { longest, questions };
  }

  /** @param within milliseconds that the end may take; null: any time. */
  ended(deaths: readonly string[], ending: Ending | null, within: number | null): void {
    for (const death of deaths) this.violated('process', death);
    this.#ending = ending;
    if (ending === null) return;
    const time = `${Math.round(ending.milliseconds)} ms`;
    if (ending.code !== 0) this.violated('stop', `it ended with ${ending.code ?? 'a signal'} after ${time}`);
    else if (within !== null && ending.milliseconds > within) this.violated('stop', `it took ${time} to end`);
  }

  result(): HostileResult {
    return {
      seed: this.#seed,
      outcomes: this.#outcomes,
      violations: this.#violations,
      longestWait: this.#probe.longest,
      probes: this.#probe.questions,
      peak: this.#peak,
      heap: this.#heap,
      ending: this.#ending,
    };
  }
}

/** What a line says, if it is an error, as everything is that is no line of the log. */
function errorIn(line: string): string | null {
  if (line.trim() === '') return null;
  try {
    const { level, msg, err } = JSON.parse(line) as LogLine;
    return level < errorLevel ? null : `${msg} ${err?.message ?? ''} ${err?.stack?.split('\n    ')[1] ?? ''}`;
  } catch {
    return line;
  }
}

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
}

/** The result for people. */
export function report(result: HostileResult): string {
  const { seed, outcomes, violations, longestWait, probes, peak, heap, ending } = result;
  const kinds = [...outcomes].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = kinds.reduce((sum, [, counts]) => sum + sumOf(counts), 0);
  return [
    `seed ${seed}: ${total} attacks of ${kinds.length} kinds`,
    ...kinds.map(([kind, counts]) => `  ${kind.padEnd(76)} ${String(sumOf(counts)).padStart(5)}  ${summary(counts)}`),
    `${probes} probes, answered within ${Math.round(longestWait)} ms`,
    `at most ${megabytes(peak.heapUsed)} of heap, ${megabytes(peak.external)} beside it, ${megabytes(peak.rss)} resident`,
    ...(heap.baseline === null || heap.after === null
      ? []
      : [`the heap came from ${megabytes(heap.baseline)} to ${megabytes(heap.after)}`]),
    ending === null
      ? 'it was not there to be ended'
      : `ended with ${ending.code} after ${Math.round(ending.milliseconds)} ms`,
    violations.length === 0
      ? 'nothing was wrong'
      : `${violations.length} violations, repeat them with HOSTILE_SEED=${seed}:`,
    ...grouped(violations),
  ].join('\n');
}

const sumOf = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);

const summary = (counts: ReadonlyMap<string, number>) =>
  [...counts.keys()]
    .slice(0, 3)
    .map(outcome => outcome.slice(0, 60))
    .join(' | ');

/** One line a kind, with the first of its violations. */
function grouped(violations: readonly Violation[]): string[] {
  const kinds = new Map<string, Violation[]>();
  for (const violation of violations) kinds.set(violation.kind, [...(kinds.get(violation.kind) ?? []), violation]);
  return [...kinds].map(([kind, [first, ...others]]) => {
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    const drawn = first?.parameters === '' ? '' : ` with ${excerpt(first?.parameters ?? '')}`;
    return `  ${kind}${drawn}: ${first?.what}${more}`;
  });
}
