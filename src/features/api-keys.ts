import { createHash } from 'node:crypto';
import type { ApiKeysRead, Backend } from '../backends/backend.js';
import { type ApiKey, isApiKeySecret } from '../core/api-key.js';
import type { Log } from '../core/log.js';
import { eachInSlices } from '../streams/slices.js';
import type { Applied, Replica } from './replica.js';

export interface ApiKeysOptions {
  readonly backend: Backend;
  readonly replica: Replica;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds between two writes of when keys were last used. Default 60,000. */
  readonly usesInterval?: number | undefined;
}

interface Held {
  /** The same object for as long as the key is held. */
  readonly key: ApiKey;
  readonly hash: string;
  readonly whenRevoked: Set<() => void>;
}

/** Milliseconds until keys that could not be read are read again. */
const retryDelay = 1_000;
const defaultUsesInterval = 60_000;

/**
 * The API keys that are not revoked, in memory, so that a verification costs one hash and a look-up.
 *
 * A revocation counts when the replica has read its entry in the log. A new key is in no entry of the log with its hash, so an entry
 * that tells of one causes a read. Until that read no node but the one that made it knows the key.
 */
export class ApiKeys {
  readonly #options: ApiKeysOptions;
  readonly #byHash = new Map<string, Held>();
  readonly #byId = new Map<string, Held>();
  /** Keys that were revoked while keys were read, with the revision: a read that began before it must not bring them back. */
  readonly #revoked = new Map<string, number>();
  /** By id, when a key was last used, as far as it is not written yet. */
  #uses = new Map<string, Date>();
  #revision = 0;
  /** Counts how often the log became another one: a read that began before says nothing. */
  #generation = 0;
  #loading: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #writing = Promise.resolve();
  #hasFailedToWrite = false;
  #isClosed = false;
  readonly #usesTimer: NodeJS.Timeout;
  readonly #stopListening: () => void;

  private constructor(options: ApiKeysOptions) {
    this.#options = options;
    this.#stopListening = options.replica.onApplied(applied => this.#onApplied(applied));
    const interval = options.usesInterval ?? defaultUsesInterval;
    this.#usesTimer = setInterval(() => void this.#writeUses(), interval).unref();
  }

  /** @throws UnavailableError when the keys cannot be read a first time. */
  static async open(options: ApiKeysOptions): Promise<ApiKeys> {
    const keys = new ApiKeys(options);
    try {
      await keys.#load();
    } catch (error) {
      await keys.close();
      throw error;
    }
    return keys;
  }

  /**
   * The key with this secret, which may have expired. Null: none that is not revoked. The look-up goes by the hash: its time may
   * tell how a hash begins, and nobody finds a secret with a wanted hash.
   */
  find(secret: string): ApiKey | null {
    if (!isApiKeySecret(secret)) return null;
    const held = this.#byHash.get(createHash('sha256').update(secret).digest('base64'));
    if (held === undefined) return null;
    const now = this.#options.now();
    if (held.key.expiresAt === null || held.key.expiresAt.getTime() > now) this.#uses.set(held.key.id, new Date(now));
    return held.key;
  }

  /**
   * Calls `act` once when the key is revoked, as far as this process knows; at once if it is.
   * @returns a function that cancels it.
   */
  whenRevoked(id: string, act: () => void): () => void {
    const held = this.#byId.get(id);
    if (held === undefined) {
      act();
      return () => {};
    }
    // The same function may be given twice, and each time is cancelled alone.
    const own = () => act();
    held.whenRevoked.add(own);
    return () => void held.whenRevoked.delete(own);
  }

  /**
   * Resolves when all keys that were made up to this revision are known here.
   * @throws UnavailableError
   */
  async reach(revision: number): Promise<void> {
    if (this.#revision < revision) await this.#load();
  }

  /** Writes the uses that are not written yet. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    clearInterval(this.#usesTimer);
    if (this.#retry !== null) clearTimeout(this.#retry);
    await Promise.allSettled([this.#loading, this.#next]);
    await this.#writeUses();
  }

  #onApplied({ stretch, userIds }: Applied): void {
    if (stretch === null) {
      // Pinned answers are no change of the log. After a reload the log may be another one, in which a key is not revoked.
      if (userIds !== null) return;
      this.#generation += 1;
      this.#revoked.clear();
      this.#revision = 0;
      this.#loadQuietly();
      return;
    }
    let isNew = false;
    for (const { kind, before, revision } of stretch.changes) {
      if (kind === 'API_KEY_CREATED') isNew = true;
      if (kind !== 'API_KEY_REVOKED' || before === null) continue;
      const id = before['id'] as string;
      if (this.#loading !== null) this.#revoked.set(id, revision);
      this.#drop(id);
    }
    if (isNew) this.#loadQuietly();
  }

  /** Reads the keys in a read that begins after this call. Callers that come while one is under way share the one after it. */
  #load(): Promise<void> {
    if (this.#loading === null) {
      const generation = this.#generation;
      this.#loading = this.#options.backend
        .apiKeys()
        .then(read => {
          if (generation === this.#generation) this.#take(read);
        })
        .finally(() => {
          this.#loading = null;
        });
      return this.#loading;
    }
    this.#next ??= this.#loading
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#load();
      });
    return this.#next;
  }

  #loadQuietly(): void {
    if (this.#isClosed) return;
    this.#load().catch(error => {
      if (this.#isClosed || this.#retry !== null) return;
      this.#options.log.warn({ err: error }, 'The API keys could not be read. New keys are not known here yet.');
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#loadQuietly();
      }, retryDelay).unref();
    });
  }

  #take({ revision, keys }: ApiKeysRead): void {
    if (this.#isClosed) return;
    const live = keys.filter(({ id }) => (this.#revoked.get(id) ?? 0) <= revision);
    const ids = new Set(live.map(({ id }) => id));
    for (const id of [...this.#byId.keys()]) if (!ids.has(id)) this.#drop(id);
    for (const { hash, ...key } of live) {
      if (this.#byId.has(key.id)) continue;
      const held = {
        key: Object.freeze(key),
        hash: Buffer.from(hash).toString('base64'),
        whenRevoked: new Set<() => void>(),
      };
      this.#byId.set(key.id, held);
      this.#byHash.set(held.hash, held);
    }
    for (const [id, revokedIn] of this.#revoked) if (revokedIn <= revision) this.#revoked.delete(id);
    this.#revision = revision;
  }

  #drop(id: string): void {
    const held = this.#byId.get(id);
    if (held === undefined) return;
    this.#byId.delete(id);
    this.#byHash.delete(held.hash);
    void eachInSlices(held.whenRevoked, act => act());
  }

  /** One write after the other. */
  #writeUses(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeUsesNow());
    return this.#writing;
  }

  async #writeUsesNow(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = this.#uses;
    this.#uses = new Map();
    try {
      await this.#options.backend.noteApiKeyUses(uses);
      this.#hasFailedToWrite = false;
    } catch (error) {
      // Later uses win.
      this.#uses = new Map([...uses, ...this.#uses]);
      // One line for as long as it lasts.
      if (!this.#hasFailedToWrite)
        this.#options.log.warn({ err: error }, 'The last uses of API keys could not be written.');
      this.#hasFailedToWrite = true;
    }
  }
}
