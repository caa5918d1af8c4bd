import { type Change, type Definitions, flagFromLog } from '../backends/backend.js';
import { type CompiledFlag, compileFlag } from '../core/evaluate.js';
import type { FlagDefinition } from '../core/flag.js';
import { TimeSlice } from '../streams/slices.js';

/**
 * All compiled definitions at exactly one revision of the change log. Never changes: code that keeps one across an `await`
 * still sees one state.
 */
export class Snapshot {
  readonly #byKey: ReadonlyMap<string, CompiledFlag>;
  /** Null before it is asked for. */
  #hasRollout: boolean | null = null;

  private constructor(
    readonly epoch: string,
    readonly revision: number,
    /** The nonce of the log's entry at this revision; null if there is no such entry. */
    readonly nonce: string | null,
    byKey: ReadonlyMap<string, CompiledFlag>,
    /** Sorted by key, in code unit order. */
    readonly flags: readonly CompiledFlag[] = [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
  ) {
    this.#byKey = byKey;
  }

  /**
   * Compiles definitions in slices, with a turn of the event loop between two slices. Flags with the same definition in
   * `known` are taken from there; after a reload these are most flags.
   */
  static async load({ epoch, revision, nonce, flags }: Definitions, known?: Snapshot): Promise<Snapshot> {
    const byKey = new Map<string, CompiledFlag>();
    const slice = new TimeSlice();
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

  /** Whether any flag is rolled out by percentage: only then does an answer depend on the key that rollouts hash. */
  get hasRollout(): boolean {
    this.#hasRollout ??= this.flags.some(({ definition }) => definition.enabled && definition.percentage < 100);
    return this.#hasRollout;
  }

  /** The snapshot after these changes. They must follow on this snapshot and must not contain a RESET. */
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

  /** A snapshot of the same revision, with these flags added. They replace flags with the same keys. */
  with(flags: readonly CompiledFlag[]): Snapshot {
    if (flags.length === 0) return this;
    return new Snapshot(
      this.epoch,
      this.revision,
      this.nonce,
      new Map([...this.#byKey, ...flags.map(flag => [flag.key, flag] as const)]),
    );
  }

  /** The keys whose definitions differ between this snapshot and `known`, from which this one was loaded. */
  differences(known: Snapshot): ReadonlySet<string> {
    const keys = new Set([...this.#byKey.keys(), ...known.#byKey.keys()]);
    return new Set([...keys].filter(key => this.get(key) !== known.get(key)));
  }
}

// A stored flag has more fields than its definition. Fields that no evaluation needs do not stay in memory.
function definitionOf({ key, enabled, percentage, conditions }: FlagDefinition): FlagDefinition {
  return { key, enabled, percentage, conditions };
}

function isSame(a: FlagDefinition, b: FlagDefinition): boolean {
  try {
    return JSON.stringify(a) === JSON.stringify(b);
  } catch {
    // The conditions are nested too deeply for JSON.stringify, and so are not valid.
    return false;
  }
}
