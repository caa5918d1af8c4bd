import { type Change, type Definitions, flagFromLog } from '../backends/backend.js';
import { type CompiledFlag, compileFlag } from '../core/evaluate.js';
import type { Flag, FlagDefinition } from '../core/flag.js';
import { canonicalJson } from '../core/json.js';
import { rolloutBuckets } from '../core/rollout.js';
import { plainValues } from '../core/values.js';
import { TimeSlice } from '../streams/slices.js';

/**
 * All compiled definitions at exactly one revision of the change log. Never changes: code that keeps one across an `await`
 * still sees one state.
 */
export class Snapshot {
  readonly #byKey: ReadonlyMap<string, CompiledFlag>;
  /** Whether answers depend on the device, for users and for anonymous callers. Undefined before it is asked for. */
  readonly #isDeviceHashed: { user?: boolean; anonymous?: boolean } = {};

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
      byKey.set(flag.key, compiled(flag, known?.get(flag.key)));
    }
    return new Snapshot(epoch, revision, nonce, byKey);
  }

  get(key: string): CompiledFlag | undefined {
    return this.#byKey.get(key);
  }

  /** Whether some flag hashes the device of such a caller. */
  dependsOnDevice(caller: 'user' | 'anonymous'): boolean {
    this.#isDeviceHashed[caller] ??= this.flags.some(flag => hashesDevice(flag, caller));
    return this.#isDeviceHashed[caller];
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
      else byKey.set(flagKey, compiled(flagFromLog(after), byKey.get(flagKey)));
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

/** The compiled flag: the one that is known, if its definition is the same. A new name, for example, changes no answer. */
function compiled(flag: Flag, known: CompiledFlag | undefined): CompiledFlag {
  const definition = definitionOf(flag);
  return known !== undefined && isSame(known.definition, definition) ? known : compileFlag(definition);
}

// A stored flag has more fields than its definition. Fields that no evaluation needs do not stay in memory.
function definitionOf(flag: FlagDefinition): FlagDefinition {
  const { key, enabled, percentage, conditions, type, variants, offVariant, rules, bucketBy } = {
    ...plainValues,
    ...flag,
  };
  return { key, enabled, percentage, conditions, type, variants, offVariant, rules, bucketBy };
}

/** Whether all fields that evaluations read are equal, so that both definitions give the same answers. */
export function isSameDefinition(a: FlagDefinition, b: FlagDefinition): boolean {
  try {
    return canonicalJson(definitionOf(a)) === canonicalJson(definitionOf(b));
  } catch {
    // One is nested too deeply for JSON.stringify, and so is not valid.
    return false;
  }
}

function isSame(a: FlagDefinition, b: FlagDefinition): boolean {
  try {
    return JSON.stringify(a) === JSON.stringify(b);
  } catch {
    // The conditions are nested too deeply for JSON.stringify, and so are not valid.
    return false;
  }
}

function hashesDevice({ definition, valued }: CompiledFlag, caller: 'user' | 'anonymous'): boolean {
  const { bucketBy = null, enabled, percentage } = definition;
  if (bucketBy !== '$device' && !(bucketBy === null && caller === 'anonymous')) return false;
  const { rules = [], shares = [] } = valued?.values ?? {};
  // An override of a user gives a variant also where the flag is off.
  if (shares.length > 1 && (enabled || caller === 'user')) return true;
  if (!enabled) return false;
  return percentage < 100 || rules.some(rule => rule.buckets < rolloutBuckets || rule.shares.length > 1);
}
