import { type CompiledFlag, compileFlag, type Evaluation, evaluate, flagNotFound } from '../core/evaluate.js';
import type { FlagDefinition } from '../core/flag.js';
import type { Subject } from '../core/subject.js';
import { mapInSlices } from '../streams/slices.js';

/** A flag as it is, and as it would be. Null: there is no such flag. */
export interface DefinitionChange {
  readonly before: FlagDefinition | null;
  readonly after: FlagDefinition | null;
}

/** The users to compare: those who are connected to this process, or those of whom something is stored. */
export const populations = ['CONNECTED', 'STORED'] as const;

export type Population = (typeof populations)[number];

/** What a change would do to a population. If it concerns several flags, the numbers after `isComplete` are sums over the flags. */
export interface FlagPreview {
  /** Users who were compared. */
  readonly counted: number;
  /** All users of the population. Of stored users it may be an estimate if `isComplete` is false. */
  readonly total: number;
  /** Whether every user was compared. */
  readonly isComplete: boolean;
  /** Users for whom the feature is on now. A flag that does not exist has the default answer for everybody. */
  readonly on: number;
  /** Users for whom the feature would be on. */
  readonly onAfter: number;
  /** Users for whom the feature is off now and would be on. */
  readonly gain: number;
  /** Users for whom the feature is on now and would be off. */
  readonly lose: number;
  /** Users for whom the feature stays on, or stays off, with another variant or another value. */
  readonly changeVariant: number;
  /** Examples of users who gain, at most 10, by the ids that they are known by. */
  readonly gaining: readonly string[];
  /** Examples of users who lose, at most 10, by the ids that they are known by. */
  readonly losing: readonly string[];
}

export const previewLimits = {
  /** Users that a preview names as examples, each of those who gain and those who lose. */
  examples: 10,
  /** Milliseconds that a preview takes at most. Then it answers for the users that it has compared. */
  time: 2_000,
} as const;

type Counts = 'on' | 'onAfter' | 'gain' | 'lose' | 'changeVariant';

/** Compares the answers before and after changes of flags, subject by subject. */
export class PreviewCount {
  readonly #flags: readonly ComparedFlag[];
  readonly #now: number;
  readonly #counts: Record<Counts, number> = { on: 0, onAfter: 0, gain: 0, lose: 0, changeVariant: 0 };
  readonly #gaining = new Set<string>();
  readonly #losing = new Set<string>();
  #counted = 0;

  /** Use {@link PreviewCount.of}. */
  private constructor(flags: readonly ComparedFlag[], now: number) {
    this.#flags = flags;
    this.#now = now;
  }

  /**
   * Compiles in slices: one flag may take milliseconds, and a change may be of thousands.
   * @param now milliseconds since the epoch: decides which overrides have expired.
   * @param defaultEnabled the answer for a flag that does not exist.
   */
  static async of(changes: readonly DefinitionChange[], now: number, defaultEnabled: boolean): Promise<PreviewCount> {
    return new PreviewCount(await mapInSlices(changes, change => new ComparedFlag(change, defaultEnabled)), now);
  }

  /** How many subjects were compared. */
  get counted(): number {
    return this.#counted;
  }

  /** The parts of the stored data that the compared flags look at. */
  get needs(): { readonly flagKeys: readonly string[]; readonly groups: readonly string[] } {
    const compiled = this.#flags.flatMap(({ before, after }) => [before, after]).filter(flag => flag !== null);
    return {
      flagKeys: [...new Set(compiled.map(({ key }) => key))],
      groups: [...new Set(compiled.flatMap(({ groups }) => [...groups]))],
    };
  }

  count(subject: Subject): void {
    this.#counted += 1;
    const counts = this.#counts;
    for (const flag of this.#flags) {
      const before = flag.before === null ? flag.missing : evaluate(flag.before, subject, this.#now);
      const after = flag.after === null ? flag.missing : evaluate(flag.after, subject, this.#now);
      if (before.enabled) counts.on += 1;
      if (after.enabled) counts.onAfter += 1;
      if (before.enabled === after.enabled) {
        const exists = flag.before !== null && flag.after !== null;
        if (exists && !flag.isSameValue(before, after)) counts.changeVariant += 1;
      } else if (after.enabled) {
        counts.gain += 1;
        addExample(this.#gaining, subject);
      } else {
        counts.lose += 1;
        addExample(this.#losing, subject);
      }
    }
  }

  /** @param total all users of the population. */
  result(total: number, isComplete: boolean): FlagPreview {
    const examples = { gaining: [...this.#gaining], losing: [...this.#losing] };
    return { counted: this.#counted, total, isComplete, ...this.#counts, ...examples };
  }
}

/** Both states of a flag, each compiled once. */
class ComparedFlag {
  readonly before: CompiledFlag | null;
  readonly after: CompiledFlag | null;
  /** The answer where the flag does not exist. */
  readonly missing: Evaluation;
  /** A flag has few answers and gives each as the same object, so two values are compared once and not for each user. */
  readonly #isSame = new Map<Evaluation, Map<Evaluation, boolean>>();

  constructor({ before, after }: DefinitionChange, defaultEnabled: boolean) {
    this.before = before === null ? null : compileFlag(before);
    this.after = after === null ? null : compileFlag(after);
    this.missing = flagNotFound((before ?? after)?.key ?? '', defaultEnabled);
  }

  isSameValue(before: Evaluation, after: Evaluation): boolean {
    let known = this.#isSame.get(before);
    if (known === undefined) {
      known = new Map();
      this.#isSame.set(before, known);
    }
    let isSame = known.get(after);
    if (isSame === undefined) {
      isSame = before.variant === after.variant && JSON.stringify(before.value) === JSON.stringify(after.value);
      known.set(after, isSame);
    }
    return isSame;
  }
}

/** Visitors without a user are counted, but nobody could look them up. */
function addExample(examples: Set<string>, { userId }: Subject): void {
  if (userId !== null && examples.size < previewLimits.examples) examples.add(userId);
}
