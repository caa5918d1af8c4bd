import type { Flag } from './flag.js';
import { shortened } from './text.js';

/** One fault in an input. */
export interface Issue {
  /** Where: field names and list indexes from the input down, such as `['conditions', 'attributes', 'tier', 'gte']`. */
  readonly path: readonly string[];
  /** The fault and the expected form, as a sentence without the path. */
  readonly message: string;
}

/** Limits of one error: an error that repeats all of a large input would cost more than the input. */
export const issueLimits = {
  /** Faults. */
  count: 100,
  /** All faults together, in bytes of JSON. */
  bytes: 30_000,
  /** One message, in UTF-16 code units. The parts of the input in it are cut to less than that. */
  messageLength: 500,
} as const;

/** The fault with a shortened message and shortened path segments, since both may repeat the input. */
export function shortIssue({ path, message }: Issue): Issue {
  return { path: path.map(segment => shortened(segment)), message: shortened(message, issueLimits.messageLength) };
}

/** The first faults, as many as {@link issueLimits} allow, and one that counts the others. */
function firstIssues(issues: readonly [Issue, ...Issue[]]): [Issue, ...Issue[]] {
  const told: [Issue, ...Issue[]] = [shortIssue(issues[0])];
  // The last place is for the count of the others.
  const most = issues.length > issueLimits.count ? issueLimits.count - 1 : issueLimits.count;
  let bytes = Buffer.byteLength(JSON.stringify(told[0]));
  for (const issue of issues.slice(1, most)) {
    const next = shortIssue(issue);
    bytes += Buffer.byteLength(JSON.stringify(next));
    if (bytes > issueLimits.bytes) break;
    told.push(next);
  }
  const more = issues.length - told.length;
  if (more > 0) told.push({ path: [], message: `Correct these first. Faults that are not listed here: ${more}.` });
  return told;
}

/** On the prototype of each error class of ours: its name. All copies of the package in one program share the symbol. */
const kind = Symbol.for('halyard.error');

function kindOf(prototype: object): unknown {
  return Object.getOwnPropertyDescriptor(prototype, kind)?.value;
}

/**
 * A failure that a caller can cause and should expect. `code` is stable; `message` is for people. `instanceof` works across
 * copies of the package, as two versions in one program, or a bundler and Node, load them.
 */
export abstract class FeatureError extends Error {
  static override [Symbol.hasInstance](this: { readonly prototype: object }, value: unknown): boolean {
    if (typeof value !== 'object') return false;
    // biome-ignore lint/complexity/noThisInStatic: the class on the right of instanceof, which need not be this one.
    const { prototype } = this;
    const own = kindOf(prototype);
    for (let link = value; link !== null; link = Object.getPrototypeOf(link)) {
      if (link === prototype || (own !== undefined && kindOf(link) === own)) return true;
    }
    return false;
  }

  abstract readonly code: string;
  /** The input field at fault, or null where no field is. */
  readonly path: readonly string[] | null = null;
}

/** The input is wrong; nothing was changed. */
export class ValidationError extends FeatureError {
  override readonly name = 'ValidationError';
  readonly code = 'BAD_USER_INPUT';
  override readonly path: readonly string[];
  /**
   * The faults, at most 100. Where there are more, the last one has an empty path and says how many. Long names in paths are
   * cut to 200 characters, with `…` in the middle.
   */
  readonly issues: readonly [Issue, ...Issue[]];

  /** @param issues every fault, at least one; the first gives the error its message and path. */
  constructor(issues: readonly [Issue, ...Issue[]]) {
    const told = firstIssues(issues);
    super(`${told[0].path.join('.')}: ${told[0].message}`);
    this.path = told[0].path;
    this.issues = told;
  }
}

/** @throws ValidationError with these faults, if there are any. */
export function refuse([first, ...rest]: readonly Issue[]): void {
  if (first !== undefined) throw new ValidationError([first, ...rest]);
}

/** A flag with this key exists already. */
export class FlagExistsError extends FeatureError {
  override readonly name = 'FlagExistsError';
  readonly code = 'FLAG_EXISTS';
  override readonly path = ['key'];

  constructor(readonly key: string) {
    super(`A flag with the key "${key}" exists already.`);
  }
}

/** No flag has this key. */
export class FlagNotFoundError extends FeatureError {
  override readonly name = 'FlagNotFoundError';
  readonly code = 'FLAG_NOT_FOUND';
  override readonly path: readonly string[];

  /** @param field the input field that named the flag, or the path to it. */
  constructor(
    readonly key: string,
    field: string | readonly string[] = 'key',
  ) {
    super(`There is no flag with the key "${key}".`);
    this.path = typeof field === 'string' ? [field] : field;
  }
}

/** The flag was changed since the version that the caller expected; nothing was changed now. */
export class VersionConflictError extends FeatureError {
  override readonly name = 'VersionConflictError';
  readonly code = 'VERSION_CONFLICT';
  override readonly path = ['expectedVersion'];

  constructor(
    /** The flag as it is now. */
    readonly flag: Flag,
    expectedVersion: number,
  ) {
    super(`The flag "${flag.key}" is at version ${flag.version}, not ${expectedVersion}.`);
  }
}

/** The data was changed since the revision that the caller has seen; nothing was changed now. */
export class CrossedError extends FeatureError {
  override readonly name = 'CrossedError';
  readonly code = 'CROSSED';

  constructor(
    /** The revision that the caller has seen. */
    readonly since: number,
    /** The flags that were changed since, or whose overrides were: the first 100, sorted. */
    readonly flagKeys: readonly string[],
    /** The users who were changed since: the first 100, sorted. */
    readonly userIds: readonly string[],
  ) {
    const flags = flagKeys.length > 0 ? `the flags ${flagKeys.map(key => `"${key}"`).join(', ')}` : '';
    const users = userIds.length > 0 ? `the users ${userIds.map(id => `"${shortened(id)}"`).join(', ')}` : '';
    const things = shortened([flags, users].filter(text => text !== '').join(' and '), issueLimits.messageLength);
    super(`Changed since revision ${since}: ${things}.`);
  }
}

/** Something that somebody else has changed, so that a change of several things is refused. */
export interface Conflict {
  /** The flag that was changed, or whose override was. Null: the conflict is about no flag. */
  readonly flagKey: string | null;
  /** The group that was changed; null where none was. */
  readonly group: string | null;
  /** The user of the override, the membership or the attributes that were changed; null where none were. */
  readonly userId: string | null;
  /** The revision of that change; null where it is not known. */
  readonly revision: number | null;
  /** The conflict, and the way out, as a sentence. */
  readonly message: string;
}

/** The most conflicts of one error. */
export const maxConflicts = 500;

/** Somebody else has changed what a change of several things is about. All of it was refused; nothing was changed now. */
export class ConflictsError extends FeatureError {
  override readonly name = 'ConflictsError';
  readonly code = 'CONFLICTS';
  /** Every conflict, at most 500. Where there are more, the last one is about nothing and says how many. */
  readonly conflicts: readonly [Conflict, ...Conflict[]];
  /** The flags of the conflicts as they are now, in the same order. Deleted flags are left out. */
  readonly flags: readonly Flag[];

  /**
   * @param conflicts all of them, at least one; the first gives the error its message.
   * @param flags the present flags that the caller has read, at least those of the conflicts.
   */
  constructor(conflicts: readonly [Conflict, ...Conflict[]], flags: Iterable<Flag>) {
    const told = firstConflicts(conflicts);
    super(told.length === 1 ? told[0].message : `${told[0].message} Conflicts in all: ${conflicts.length}.`);
    const byKey = new Map(Array.from(flags, flag => [flag.key, flag]));
    this.conflicts = told;
    this.flags = [...new Set(told.map(({ flagKey }) => flagKey))].flatMap(key => byKey.get(key ?? '') ?? []);
  }
}

function firstConflicts(conflicts: readonly [Conflict, ...Conflict[]]): [Conflict, ...Conflict[]] {
  const [first, ...rest] = conflicts;
  if (conflicts.length <= maxConflicts) return [first, ...rest];
  const more = conflicts.length - maxConflicts + 1;
  const message = `Conflicts that are not listed here: ${more}.`;
  return [
    first,
    ...rest.slice(0, maxConflicts - 2),
    { flagKey: null, group: null, userId: null, revision: null, message },
  ];
}

/** The change log does not tell what the caller asks about. */
export class RevisionNotFoundError extends FeatureError {
  override readonly name = 'RevisionNotFoundError';
  readonly code = 'REVISION_NOT_FOUND';
  override readonly path: readonly string[] | null;

  /**
   * @param reason why it does not, and the way out, as sentences.
   * @param field the input field that named the revision, or the batch; null if a stream cannot go on.
   */
  constructor(
    reason: string,
    field: 'revision' | 'batch' | null,
    /** The oldest revision that the log can go back to. Null: that is not the reason. */
    readonly oldest: number | null = null,
  ) {
    super(reason);
    this.path = field === null ? null : [field];
  }
}

/** The database was needed and could not be reached in time. Another attempt later may succeed. */
export class UnavailableError extends FeatureError {
  override readonly name = 'UnavailableError';
  readonly code = 'UNAVAILABLE';

  constructor(message = 'The database cannot be reached.', options?: ErrorOptions) {
    super(message, options);
  }
}

/** The answer to a request when its feature is off. */
export interface ClosedAnswer {
  /** 404 (the default) hides that the feature exists; 403 shows it. */
  readonly status?: 404 | 403;
  /** Redirects to this URL (302) instead. */
  readonly redirectUrl?: string;
  /** The text of the answer. Default: "Not found." or "Forbidden." */
  readonly message?: string;
}

/** The feature is off for this user, or cannot be determined. Has the fields that every gate needs for its answer. */
export class FeatureDisabledError extends FeatureError {
  override readonly name = 'FeatureDisabledError';
  readonly code = 'FEATURE_DISABLED';
  /** The HTTP status of the answer: 302 where there is a `redirectUrl`. */
  readonly status: 404 | 403 | 302;
  readonly redirectUrl: string | null;

  constructor(
    /** The flag's key. */
    readonly key: string,
    { status = 404, redirectUrl, message }: ClosedAnswer = {},
    options?: ErrorOptions,
  ) {
    super(message ?? (status === 404 ? 'Not found.' : 'Forbidden.'), options);
    this.status = redirectUrl === undefined ? status : 302;
    this.redirectUrl = redirectUrl ?? null;
  }
}

const errorClasses = {
  FeatureError,
  ValidationError,
  FlagExistsError,
  FlagNotFoundError,
  VersionConflictError,
  CrossedError,
  ConflictsError,
  RevisionNotFoundError,
  UnavailableError,
  FeatureDisabledError,
};
for (const [name, { prototype }] of Object.entries(errorClasses)) {
  Object.defineProperty(prototype, kind, { value: name });
}
