import { type Change, type Definitions, flagFromLog } from '../backends/backend.js';
import { type CompiledFlag, compileFlag } from '../core/evaluate.js';
import type { FlagDefinition } from '../core/flag.js';

/**
 * All definitions, compiled, at exactly one revision of the change log. Never changes: who holds one across an `await`
 * still sees one state.
 */
export class Snapshot {
  readonly #byKey: ReadonlyMap<string, CompiledFlag>;

  private constructor(
    readonly epoch: string,
    readonly revision: number,
    byKey: ReadonlyMap<string, CompiledFlag>,
    /** Sorted by key, in code unit order. */
    readonly flags: readonly CompiledFlag[] = [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
  ) {
    this.#byKey = byKey;
  }

  static of({ epoch, revision, flags }: Definitions): Snapshot {
    return new Snapshot(epoch, revision, new Map(flags.map(flag => [flag.key, compile(flag)])));
  }

  get(key: string): CompiledFlag | undefined {
    return this.#byKey.get(key);
  }

  /** The snapshot after these changes, which must follow on this one and hold no RESET. */
  after(changes: readonly Change[]): Snapshot {
    const revision = changes.at(-1)?.revision ?? this.revision;
    const flagChanges = changes.filter(change => change.kind.startsWith('FLAG_'));
    if (flagChanges.length === 0) return new Snapshot(this.epoch, revision, this.#byKey, this.flags);
    const byKey = new Map(this.#byKey);
    for (const { flagKey, after } of flagChanges) {
      if (flagKey === null) continue;
      if (after === null) byKey.delete(flagKey);
      else byKey.set(flagKey, compile(flagFromLog(after)));
    }
    return new Snapshot(this.epoch, revision, byKey);
  }

  /** The same revision with these flags in place of those of the same keys, or beside them. */
  with(flags: readonly CompiledFlag[]): Snapshot {
    if (flags.length === 0) return this;
    return new Snapshot(
      this.epoch,
      this.revision,
      new Map([...this.#byKey, ...flags.map(flag => [flag.key, flag] as const)]),
    );
  }

  /** The keys whose definition is another one here than there, or exists on one side only. */
  differences(other: Snapshot): ReadonlySet<string> {
    const keys = new Set([...this.#byKey.keys(), ...other.#byKey.keys()]);
    return new Set([...keys].filter(key => !sameDefinition(this.get(key), other.get(key))));
  }
}

// A stored flag is more than its definition; what an evaluation does not ask need not stay in memory.
function compile({ key, enabled, percentage, conditions }: FlagDefinition): CompiledFlag {
  return compileFlag({ key, enabled, percentage, conditions });
}

function sameDefinition(a: CompiledFlag | undefined, b: CompiledFlag | undefined): boolean {
  return JSON.stringify(a?.definition) === JSON.stringify(b?.definition);
}
