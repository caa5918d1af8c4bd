import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Author, Backend, Guard, Step, Written } from '../backends/backend.js';
import { CrossedError, FeatureError, FlagNotFoundError, VersionConflictError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type { FlagPatch } from '../core/inputs.js';
import { canonicalJson } from '../core/json.js';
import { mapInSlices } from '../streams/slices.js';
import type { DefinitionChange, FlagPreview } from './preview.js';
import { isSameDefinition } from './snapshot.js';

/** A preview with the token that confirms the change: a caller that has seen it sends the same change with this `confirm`. */
export interface ConfirmablePreview extends FlagPreview {
  readonly confirm: string;
}

/** The change needs a confirmation, or the given one does not fit. Nothing was changed. */
export class ConfirmationRequiredError extends FeatureError {
  override readonly name = 'ConfirmationRequiredError';
  readonly code = 'CONFIRMATION_REQUIRED';
  override readonly path = ['confirm'];

  constructor(
    message: string,
    /** What the change would do to the connected viewers, and the token that confirms it. */
    readonly preview: ConfirmablePreview,
  ) {
    super(message);
  }
}

/** The sender of a change. */
export interface Requester {
  /** Names the caller. A confirmation counts for the caller that it was given to. */
  readonly caller: string;
  /** The confirmation that came with the change. */
  readonly confirm: string | null;
}

export interface ConfirmationOptions {
  readonly backend: Backend;
  /** Signs the tokens. All nodes of one database have the same. Default: one of this process alone. */
  readonly secret?: Uint8Array | undefined;
  /** Whether changes that alter the answers of a flag need a confirmation. Default: only a given confirmation is checked. */
  readonly isProtected?: boolean | undefined;
  /** The preview for the connected viewers. */
  readonly preview: (changes: readonly DefinitionChange[]) => Promise<FlagPreview>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How long a confirmation holds, in milliseconds. */
const lifetime = 10 * 60_000;
/** How often a write is tried because a flag was changed between the look at it and the write. */
const attempts = 100;
/** The longest pause before a further attempt, in milliseconds. */
const longestPause = 40;
/** Bytes of each part of a token: when it expires, for whom, for which change, at which versions, and the signature. */
const parts = { expiresAt: 6, caller: 16, change: 16, versions: 16, signature: 32 } as const;
const tokenBytes = Object.values(parts).reduce((sum: number, bytes) => sum + bytes, 0);
const signedBytes = tokenBytes - parts.signature;
const tokenLength = Math.ceil((tokenBytes * 4) / 3);

/** The flags that a change concerns. */
type Concerned = ReadonlyMap<string, ConcernedFlag>;

interface ConcernedFlag {
  readonly before: Flag | null;
  readonly after: DefinitionChange['after'];
}

/** A change and the state that it starts from. */
interface Planned {
  readonly steps: readonly Step[];
  /** The revision at which the flags were read, or an earlier one. */
  readonly since: number;
  readonly concerned: Concerned;
}

const needed = 'This server is protected, and the change would alter answers.';
const askAgain = 'Look at the preview, then send the same change again with its "confirm", within ten minutes.';

/**
 * The confirmations of changes. It stands directly before the store: a change of any kind passes it when it is written, and
 * carries the versions that it was confirmed for into the write.
 */
export class Confirmations {
  readonly #options: ConfirmationOptions;
  readonly #secret: Uint8Array;
  readonly #exempt = new WeakSet<Author>();

  constructor(options: ConfirmationOptions) {
    this.#options = options;
    this.#secret = options.secret ?? randomBytes(32);
  }

  /** The store as it is for this requester: writes that alter the answers of a flag reject with `ConfirmationRequiredError`. */
  storeFor(requester: Requester): Backend {
    const { backend, isProtected = false } = this.#options;
    if (!isProtected && requester.confirm === null) return backend;
    return gated(backend, {
      updateFlag: (key, patch, expectedVersion, by) =>
        this.#write(requester, [{ kind: 'updateFlag', key, patch, expectedVersion }], by, null, ({ concerned }) =>
          backend.updateFlag(key, patch, expectedVersion ?? concerned.get(key)?.before?.version ?? null, by),
        ),
      deleteFlag: (key, by) => {
        const steps = [{ kind: 'deleteFlag', key }] as const;
        return this.#write(requester, steps, by, null, async planned => {
          const written = await this.#apply(planned, by, null);
          return { ...written, value: planned.concerned.get(key)?.before !== null };
        });
      },
      apply: (steps, by, guard = null) =>
        this.#write(requester, steps, by, guard, planned => this.#apply(planned, by, guard)),
    });
  }

  /** Lets the writes of this author pass without a confirmation: for an undo, which is not to be harder than its change. */
  exempt(by: Author): Author {
    const exempt = { ...by };
    this.#exempt.add(exempt);
    return exempt;
  }

  /** The confirmation of an update of a flag at its present version, for this caller. */
  confirmUpdate(caller: string, before: Flag, patch: FlagPatch): string {
    const { key } = before;
    const concerned = new Map([[key, { before, after: null }]]);
    return this.#token(caller, { steps: [{ kind: 'updateFlag', key, patch }], since: 0, concerned });
  }

  /**
   * Writes a plan, unless one of its flags was changed after it. What is stated is the versions of the flags: their overrides
   * may be set meanwhile, as often as their users like.
   */
  #apply({ steps, since, concerned }: Planned, by: Author | null, guard: Guard | null): Promise<Written<null>> {
    const stated = new Set<string>();
    const pinned = steps.flatMap((step): readonly Step[] => {
      const key = keyOf(step);
      const expectedVersion = concerned.get(key ?? '')?.before?.version;
      if (key === null || expectedVersion === undefined || stated.has(key)) return [step];
      stated.add(key);
      // A patch without a field changes nothing, but it fails at another version.
      return step.kind === 'updateFlag'
        ? [{ ...step, expectedVersion }]
        : [{ kind: 'updateFlag', key, patch: {}, expectedVersion }, step];
    });
    const absent = [...concerned].filter(([, { before }]) => before === null).map(([key]) => key);
    return this.#options.backend.apply(pinned, by, {
      since: guard?.since ?? since,
      flagKeys: [...new Set([...(guard?.flagKeys ?? []), ...absent])],
      userIds: guard?.userIds ?? [],
    });
  }

  /** @param write must fail if a flag was changed after the plan was made. */
  async #write<T>(
    requester: Requester,
    steps: readonly Step[],
    by: Author | null,
    guard: Guard | null,
    write: (planned: Planned) => Promise<Written<T>>,
  ): Promise<Written<T>> {
    for (let attempt = 1; ; attempt++) {
      const planned = await this.#plan(steps);
      const isExempt = by !== null && this.#exempt.has(by) && requester.confirm === null;
      if (!isExempt) await this.#check(requester, planned);
      try {
        return await write(planned);
      } catch (error) {
        // A flag was changed meanwhile. The confirmation may be for its earlier version, so everything is looked at again.
        const isCrossed =
          (error instanceof CrossedError && guard === null) ||
          (error instanceof VersionConflictError && expectedVersionOf(steps, error.flag.key) === null) ||
          (error instanceof FlagNotFoundError && planned.concerned.get(error.key)?.before != null);
        if (!isCrossed || attempt === attempts) throw error;
        await sleep(Math.random() * longestPause);
      }
    }
  }

  /** @throws FlagNotFoundError, VersionConflictError if the steps cannot be made: these need no confirmation first. */
  async #plan(steps: readonly Step[]): Promise<Planned> {
    const keys = [...new Set(steps.map(keyOf).filter(key => key !== null))];
    const { since, flags } = await this.#read(keys);
    const stored = new Map(flags.map(flag => [flag.key, flag]));
    const concerned = new Map<string, ConcernedFlag>();
    for (const step of steps) {
      const key = keyOf(step);
      if (key === null) continue;
      const known = concerned.get(key);
      if (known !== undefined) {
        concerned.set(key, { before: known.before, after: afterStep(known.after, step) });
        continue;
      }
      const before = stored.get(key) ?? null;
      if (step.kind === 'updateFlag') {
        const { expectedVersion = null } = step;
        if (before === null) throw new FlagNotFoundError(key);
        if (expectedVersion !== null && expectedVersion !== before.version) {
          throw new VersionConflictError(before, expectedVersion);
        }
      }
      concerned.set(key, { before, after: afterStep(before, step) });
    }
    return { steps, since, concerned };
  }

  /** These flags, and a revision: what is changed after it may be missing in them. */
  async #read(keys: readonly string[]): Promise<{ readonly since: number; readonly flags: readonly Flag[] }> {
    const { backend } = this.#options;
    const [key, second] = keys;
    if (key === undefined || second !== undefined) {
      const { revision, flags } = await backend.definitions();
      return { since: revision, flags };
    }
    const { head } = await backend.changes(0, 0);
    const flag = await backend.getFlag(key);
    return { since: head, flags: flag === null ? [] : [flag] };
  }

  /** @throws ConfirmationRequiredError */
  async #check({ caller, confirm }: Requester, planned: Planned): Promise<void> {
    const changes = [...planned.concerned.values()];
    // A flag that does not exist yet has no answers.
    const altering = await mapInSlices(
      changes,
      ({ before, after }) => before !== null && (after === null || !isSameDefinition(before, after)),
    );
    const alters = altering.includes(true);
    if (confirm === null && !(alters && this.#options.isProtected)) return;
    const fault = confirm === null ? needed : this.#faultOf(confirm, caller, planned, alters);
    if (fault === null) return;
    const preview = await this.#options.preview(changes);
    throw new ConfirmationRequiredError(`${fault} ${askAgain}`, { ...preview, confirm: this.#token(caller, planned) });
  }

  /** Why a confirmation does not fit a change; null if it fits. */
  #faultOf(confirm: string, caller: string, planned: Planned, alters: boolean): string | null {
    const given = confirm.length === tokenLength ? Buffer.from(confirm, 'base64url') : Buffer.alloc(0);
    if (given.length !== tokenBytes || given.toString('base64url') !== confirm) {
      return 'The text in "confirm" is not a confirmation.';
    }
    const signed = given.subarray(0, signedBytes);
    if (!timingSafeEqual(given.subarray(signedBytes), this.#sign(signed))) {
      return 'The confirmation was not made by this server.';
    }
    const found = partsOf(signed);
    const wanted = partsOf(this.#signedPart(caller, planned, 0));
    if (!found.caller.equals(wanted.caller)) return 'The confirmation was given to another caller.';
    if (!found.change.equals(wanted.change)) return 'The confirmation is for another change.';
    // A change that was made already may be sent again: it alters nothing.
    if (alters && !found.versions.equals(wanted.versions)) return 'The flag was changed after this confirmation.';
    return found.expiresAt > this.#options.now() ? null : 'The confirmation has expired.';
  }

  #token(caller: string, planned: Planned): string {
    const signed = this.#signedPart(caller, planned, this.#options.now() + lifetime);
    return Buffer.concat([signed, this.#sign(signed)]).toString('base64url');
  }

  #signedPart(caller: string, { steps, concerned }: Planned, expiresAt: number): Buffer {
    const time = Buffer.alloc(parts.expiresAt);
    time.writeUIntBE(Math.max(expiresAt, 0), 0, parts.expiresAt);
    const versions = [...concerned].map(([key, { before }]) => [key, before?.version ?? 0]).sort();
    return Buffer.concat([
      time,
      digest(caller, parts.caller),
      digest(canonicalJson(steps.map(withoutVersion)), parts.change),
      digest(JSON.stringify(versions), parts.versions),
    ]);
  }

  #sign(signed: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(signed).digest();
  }
}

/** The same backend with other methods for some of its writes. */
function gated(backend: Backend, writes: Pick<Backend, 'updateFlag' | 'deleteFlag' | 'apply'>): Backend {
  return new Proxy(backend, {
    get(target, name) {
      if (Object.hasOwn(writes, name)) return writes[name as keyof typeof writes];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** The flag whose definition a step changes. */
function keyOf(step: Step): string | null {
  if (step.kind === 'createFlag') return step.flag.key;
  return step.kind === 'updateFlag' || step.kind === 'deleteFlag' ? step.key : null;
}

/** The definition of a flag after a step that concerns it. */
function afterStep(before: DefinitionChange['after'], step: Step): DefinitionChange['after'] {
  if (step.kind === 'createFlag') return step.flag;
  if (step.kind === 'deleteFlag' || before === null) return null;
  return step.kind === 'updateFlag' ? { ...before, ...step.patch } : before;
}

/** The version that the caller expects of a flag; null: any. */
function expectedVersionOf(steps: readonly Step[], key: string): number | null {
  const first = steps.find(step => keyOf(step) === key);
  return first?.kind === 'updateFlag' ? (first.expectedVersion ?? null) : null;
}

/** The version is a part of its own: the same change counts whether the caller names its version or not. */
function withoutVersion(step: Step): object {
  return { ...step, expectedVersion: undefined };
}

function digest(text: string, bytes: number): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, bytes);
}

function partsOf(signed: Buffer) {
  let at = 0;
  const next = (bytes: number) => {
    at += bytes;
    return signed.subarray(at - bytes, at);
  };
  return {
    expiresAt: next(parts.expiresAt).readUIntBE(0, parts.expiresAt),
    caller: next(parts.caller),
    change: next(parts.change),
    versions: next(parts.versions),
  };
}
