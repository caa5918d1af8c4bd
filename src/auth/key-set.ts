import type { ReadableStream } from 'node:stream/web';
import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose';
import { UnavailableError } from '../core/errors.js';
import type { Log } from '../core/log.js';

export interface KeySetOptions {
  readonly url: URL;
  /** Milliseconds for which a set that was read is used. Default 600,000. A key that left the set is refused within this time. */
  readonly maxAge?: number | undefined;
  /** Milliseconds that the whole answer may take. Default 5,000. */
  readonly timeout?: number | undefined;
  readonly log?: Log | undefined;
}

/** A key set as it was read once. */
export interface PublicKeys {
  /** Finds the key that the header of a token names. */
  readonly find: LocalJWKSet;
  /** Differs from that of the set that was read before if the text does. */
  readonly version: number;
}

const maxKeySetAge = 600_000;
const maxKeySetTime = 5_000;
/** Bytes of a key set, after decompression. */
const maxKeySetSize = 1_000_000;
/** Milliseconds from an attempt to read the set to the next, unless the set has become too old. */
const retryDelay = 30_000;
/** The same as long as the set has never been read: no token can be verified before. */
const firstRetryDelay = 1_000;

/**
 * The key set behind a URL. Nothing is read before it is needed. It is read again when it is too old, or when a token names a
 * key that it does not have, but not more often than each half minute. All times are counted on a clock that nobody sets.
 */
export class KeySet {
  readonly #options: KeySetOptions;
  readonly #maxAge: number;
  #keys: PublicKeys | null = null;
  #text = '';
  /** When it was last read, as `performance.now()` has it. */
  #readAt = Number.NEGATIVE_INFINITY;
  /** When the last attempt began. */
  #triedAt = Number.NEGATIVE_INFINITY;
  /** Why the last attempt failed; null if it did not. */
  #failure: unknown = null;
  #attempt: Promise<void> | null = null;

  constructor(options: KeySetOptions) {
    this.#options = options;
    this.#maxAge = options.maxAge ?? maxKeySetAge;
  }

  /** Of the set that was read last; 0 before it is read. */
  get version(): number {
    return this.#keys?.version ?? 0;
  }

  /** The set that was read last, however old. Null: none was. */
  get last(): PublicKeys | null {
    return this.#keys;
  }

  /** Milliseconds after which it is worth to call {@link renew} again, where no requests do. */
  get renewalInterval(): number {
    return this.#retryDelay;
  }

  /** Milliseconds from an attempt to the next. */
  get #retryDelay(): number {
    return Math.min(retryDelay, this.#maxAge);
  }

  get #isFresh(): boolean {
    return performance.now() - this.#readAt < this.#maxAge;
  }

  /**
   * Reads the set again if it is too old. The promise never rejects; null: there is nothing to wait for. Nobody waits for an
   * identity provider that is away.
   */
  renew(): Promise<void> | null {
    if (this.#keys === null || this.#isFresh) return null;
    const isAway = this.#failure !== null;
    const attempt = this.#read();
    return isAway ? null : attempt;
  }

  /**
   * The set, read anew if it is too old.
   * @throws UnavailableError if it cannot be read.
   */
  async current(): Promise<PublicKeys> {
    if (!this.#isFresh) await this.#read();
    if (this.#keys === null || !this.#isFresh) throw this.#unavailable();
    return this.#keys;
  }

  /**
   * A set that was read later than these keys, for a token whose key they do not have. Null: there is none yet.
   * @throws UnavailableError if there may be one, and it cannot be read.
   */
  async later(than: PublicKeys): Promise<PublicKeys | null> {
    await this.#read();
    if (this.#failure !== null) throw this.#unavailable();
    return this.#keys === than ? null : this.#keys;
  }

  #unavailable(): UnavailableError {
    return new UnavailableError("The identity provider's keys cannot be read.", { cause: this.#failure });
  }

  /** Reads the set, unless it was tried a short time ago; null then. All that need it wait for the same attempt. */
  #read(): Promise<void> | null {
    if (this.#attempt !== null) return this.#attempt;
    const isTooOld = this.#failure === null && !this.#isFresh;
    const delay = this.#keys === null ? firstRetryDelay : this.#retryDelay;
    if (!isTooOld && performance.now() - this.#triedAt < delay) return null;
    this.#triedAt = performance.now();
    this.#attempt = this.#try().finally(() => {
      this.#attempt = null;
    });
    return this.#attempt;
  }

  async #try(): Promise<void> {
    const { url, timeout = maxKeySetTime, log } = this.#options;
    try {
      const text = await fetchText(url, AbortSignal.timeout(timeout));
      // Streams and kept tokens are looked at again only where something has changed.
      if (text !== this.#text || this.#keys === null) {
        this.#keys = { find: createLocalJWKSet(JSON.parse(text) as JSONWebKeySet), version: this.version + 1 };
        this.#text = text;
      }
      this.#readAt = performance.now();
      if (this.#failure !== null) log?.info({}, 'The key set behind AUTH_JWKS_URL can be read again.');
      this.#failure = null;
    } catch (error) {
      if (this.#failure === null) log?.warn({ err: error }, cannotBeRead);
      this.#failure = error;
    }
  }
}

const cannotBeRead =
  'The key set behind AUTH_JWKS_URL cannot be read. Tokens that were verified before stay valid until they expire; others are answered with UNAVAILABLE.';

/** @throws Error that says why there is no text; the rest of an answer that is too long is not read. */
async function fetchText(url: URL, signal: AbortSignal): Promise<string> {
  const headers = { accept: 'application/jwk-set+json, application/json' };
  const response = await fetch(url, { redirect: 'manual', headers, signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`It is answered with the status ${response.status}, expected 200. Redirects are not followed.`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // An exception in the loop ends the answer.
  for await (const chunk of (response.body ?? []) as ReadableStream<Uint8Array>) {
    size += chunk.length;
    if (size > maxKeySetSize) {
      throw new Error(`It has more than ${maxKeySetSize.toLocaleString('en')} bytes, as many as are read.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
