import { type Change, type Definitions, flagFromLog } from '../backends/backend.js';
import { type CompiledFlag, compileFlag } from '../core/evaluate.js';
import type { FlagDefinition } from '../core/flag.js';
import { Slice } from '../streams/slices.js';

/**
 * All definitions, compiled, at exactly one revision of the change log. Never changes: who holds one across an `await`
 * still sees one state.
 */
export class Snapshot {
  readonly #byKey: ReadonlyMap<string, CompiledFlag>;

  private constructor(
    readonly epoch: string,
    readonly revision: number,
    /** That of the log's entry at this revision; null where there was none. */
    readonly nonce: string | null,
    byKey: ReadonlyMap<string, CompiledFlag>,
    /** Sorted by key, in code unit order. */
    readonly flags: readonly CompiledFlag[] = [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
  ) {
    this.#byKey = byKey;
  }

  /**
   * What was read, compiled in slices with a turn of the event loop between two. What `known` has the same is taken from
   * there: after a reload most is.
   */
  static async load({ epoch, revision, nonce, flags }: Definitions, known?: Snapshot): Promise<Snapshot> {
    const byKey = new Map<string, CompiledFlag>();
    const slice = new Slice();
    for (const flag of flags) {
      if (slice.isOver) await slice.next();
      const definition = definitionOf(flag);
      const same = known?.get(flag.key);
      byKey.set(flag.key, same !== undefined && isSame(same.definition, definition) ? same : compileFlag(definition));
    }
    return new Snapshot(epoch, revision, nonce, byKey);
  }

  get(key: string): CompiledFlag | undefined {
    return this.#byKey.get(key);
  }

  /** The snapshot after these changes, which must follow on this one and hold no RESET. */
  after(changes: readonly Change[]): Snapshot {
    const { revision, nonce } = changes.at(-1) ?? this;
    const flagChanges = changes.filter(change => change.kind.startsWith('FLAG_'));
    if (flagChanges.length === 0) return new Snapshot(this.epoch, revision, nonce, this.#byKey, this.flags);
    const byKey = new Map(this.#byKey);
    for (const { flagKey, after } of flagChanges) {
      if (flagKey === null) continue;
      if (after === null) byKey.delete(flagKey);
      else byKey.set(flagKey, compileFlag(definitionOf(flagFromLog(after))));
    }
    return new Snapshot(this.epoch, revision, nonce, byKey);
  }

  /** The same revision with these flags in place of those of the same keys, or beside them. */
  with(flags: readonly CompiledFlag[]): Snapshot {
    if (flags.length === 0) return this;
    return new Snapshot(
      this.epoch,
      this.revision,
      this.nonce,
      new Map([...this.#byKey, ...flags.map(flag => [flag.key, flag] as const)]),
    );
  }

  /** The keys whose definition is another one here than in the snapshot that this one was loaded over. */
  differences(known: Snapshot): ReadonlySet<string> {
    const keys = new Set([...this.#byKey.keys(), ...known.#byKey.keys()]);
    return new Set([...keys].filter(key => this.get(key) !== known.get(key)));
  }
}

// A stored flag is more than its definition; what an evaluation does not ask need not stay in memory.
function definitionOf({ key, enabled, percentage, conditions }: FlagDefinition): FlagDefinition {
  return { key, enabled, percentage, conditions };
}

function isSame(a: FlagDefinition, b: FlagDefinition): boolean {
  try {
    return JSON.stringify(a) === JSON.stringify(b);
  } catch {
    // Nested too deep to be written: no valid conditions either way.
    return false;
  }
}
