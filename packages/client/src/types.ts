import type { HalyardError } from './error.js';
import type { FeatureKey, Json, ValueOf, ValueOrFallback } from './feature-types.js';

/** The answer for one flag and this user. */
export interface Answer {
  readonly enabled: boolean;
  /** The value of the user's variant, or of the off variant. Null: the server cannot read the flag's stored variants. */
  readonly value: Json;
  /** The key of the variant. */
  readonly variant: string | null;
  /** The step that decided, such as `ROLLOUT`: see `EvaluationReason` in the server's schema. */
  readonly reason: string;
}

/** The answers of one user at one revision, for storage, for other tabs and for pages that a server renders. Plain JSON. */
export interface Snapshot {
  /** Whose answers these are: the subject of {@link Options}; empty for a visitor without a user; null: of a token whose subject was not stated. */
  readonly subject: string | null;
  /** The revision of the change log that the answers are computed from. */
  readonly revision: number;
  readonly answers: Readonly<Record<string, Answer>>;
}

export interface Options {
  /** The address of the server, such as `https://flags.example.com`, with or without `/graphql`. A page may give a path of its own origin. */
  readonly url: string;
  /** Whose answers these are, such as the id of the signed-in user: names the slot in the storage. Without it only anonymous answers are stored. */
  readonly subject?: string | undefined;
  /** The token of the signed-in user at the moment; null: nobody is signed in. Asked before each connection. */
  readonly token?: (() => string | null | Promise<string | null>) | undefined;
  /** The flags to follow. Default: all. */
  readonly keys?: readonly FeatureKey[] | undefined;
  /** The first answers, from the server that rendered the page: `features.for(user).snapshot()`. */
  readonly bootstrap?: Snapshot | undefined;
  /** Where answers wait for the next visit. Default: `localStorage` where there is one. Null: nowhere. */
  readonly storage?: StorageLike | null | undefined;
  /** The device of a visitor without a user. Default: a random one, kept in the storage. False: none, so rollouts to anonymous visitors are off. */
  readonly deviceId?: string | false | undefined;
  /**
   * How updates come. Default: server-sent events over `fetch`. `@halyard/client/ws` has another. Null: they do not come, and the answers stay
   * those of `bootstrap`, as while a server renders a page.
   */
  readonly transport?: Transport | null | undefined;
  /** Milliseconds after which the connection of a hidden tab closes, until the tab is shown again. Default: 30,000. */
  readonly hiddenAfter?: number | undefined;
  /** Lets one tab hold the connection for all tabs of the site: `share()` of `@halyard/client/share`. */
  readonly share?: Share | undefined;
  /** Told of every failure that the client goes on from, such as a token that is refused. An error that it throws is reported as uncaught. */
  readonly onError?: ((error: HalyardError) => void) | undefined;
}

/** The part of `localStorage` that is used. */
export interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** `connecting`: no update has come yet. `live`: updates come. `stale`: the answers are the last ones known. `closed`: by `close()`. */
export type Status = 'connecting' | 'live' | 'stale' | 'closed';

/** Where the present answers come from. `default`: there are none yet, so every question gets its fallback. */
export type Source = 'default' | 'bootstrap' | 'cache' | 'live';

/** The features of one user, kept up to date. No method waits or throws, and no question costs a request. */
export interface Client {
  readonly status: Status;
  readonly source: Source;
  /** The answers that the client was made with, for hydration: it stays as it is whatever has come since. Undefined: it was made without. */
  readonly bootstrap: Snapshot | undefined;
  /** Resolves at the first answers, whatever their source, and at `close()`. The same promise each time; it never rejects. */
  ready(): Promise<void>;
  /** Whether a feature is on. @param fallback the answer while there is none, and if there is no such flag. Default false. */
  isEnabled(key: FeatureKey, fallback?: boolean): boolean;
  /**
   * The value of a feature.
   * @param fallback the answer while there is none, if there is no such flag, and if the value has another JSON type, which `onError`
   *   is told once for each flag.
   */
  value<Key extends FeatureKey, Fallback extends ValueOf<Key>>(
    key: Key,
    fallback: Fallback,
  ): ValueOrFallback<Key, Fallback>;
  /** The whole answer; undefined while there is none, and if there is no such flag. The same object until it changes. */
  evaluate(key: FeatureKey): Answer | undefined;
  /** All answers by key. The same object until one changes. */
  all(): Readonly<Record<string, Answer>>;
  /** Calls `listener` after each update, with the keys whose answers changed. Returns the function that ends it. */
  onChange(listener: (keys: readonly string[]) => void): () => void;
  /** Calls `listener` each time that the answer for one key has changed. Returns the function that ends it. */
  onKey(key: FeatureKey, listener: () => void): () => void;
  /** Calls `listener` each time that the status or the source has changed. Returns the function that ends it. */
  onStatus(listener: () => void): () => void;
  /**
   * Connects again with a new token, after another user has signed in or the attributes in the token have changed. Resolves at the first update
   * for it, and at `close()`. Never rejects.
   */
  identify(options?: IdentifyOptions): Promise<void>;
  /** The present answers, for `bootstrap` and storage. */
  snapshot(): Snapshot;
  /** Ends the connection, all timers and all listeners. Questions go on answering from the last answers. */
  close(): void;
}

export interface IdentifyOptions {
  /** The new subject; null: a visitor without a user. Default: the present one. */
  readonly subject?: string | null | undefined;
  /** Whether the present answers are dropped at once, so that nobody sees those of the user before. Default: true, unless the subject is known and stays the same. */
  readonly clear?: boolean | undefined;
}

/** One update as the server sends it. */
export interface Update {
  readonly revision: number;
  /** Whether `features` holds all answers; otherwise those that changed. */
  readonly snapshot: boolean;
  readonly features: readonly (Answer & { readonly key: string })[];
  /** Keys of flags that were deleted. */
  readonly removed: readonly string[];
}

/** What a transport asks the server for. */
export interface StreamRequest {
  /** The address of the API. */
  readonly url: string;
  readonly token: string | null;
  readonly device: string | null;
  readonly keys: readonly string[] | null;
  /** No update older than this is wanted. */
  readonly sinceRevision: number;
  /** Whether the token is a new one by `identify`: a stream that another tab opened before does not serve it. */
  readonly isRenewed: boolean;
}

/** Hears of one stream. After `onEnd` nothing follows. */
export interface StreamListener {
  /** Something came, if only a sign of life. */
  onAlive(): void;
  /** The first update of a stream is a snapshot. */
  onUpdate(update: Update): void;
  /** Something failed that the stream goes on from. */
  onFault(error: HalyardError): void;
  /** The stream is over. @param retryAfter milliseconds before which the server wants no new attempt. */
  onEnd(error: HalyardError, retryAfter?: number): void;
}

/** Opens a stream of updates; returns the function that closes it, after which the listener hears nothing. */
export type Transport = (request: StreamRequest, listener: StreamListener) => () => void;

/** Makes a transport that several tabs share. @param slot names whose answers the stream carries: only tabs with the same slot share it. */
export type Share = (transport: Transport, slot: string) => Transport;
