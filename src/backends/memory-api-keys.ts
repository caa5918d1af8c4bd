import { randomUUID } from 'node:crypto';
import { type ApiKey, ApiKeyExistsError, apiKeyState, maxApiKeys, TooManyApiKeysError } from '../core/api-key.js';
import { storedUserId } from '../core/user-id.js';
import type { ApiKeysRead, NewApiKey } from './backend.js';
import type { MemoryLog, Signature } from './memory-log.js';

type StoredKey = ApiKeysRead['keys'][number];

/** The API keys of a backend in memory. Creators have the ids under which they are stored. */
export class MemoryApiKeys {
  readonly #log: MemoryLog;
  readonly #now: () => Date;
  readonly #keys = new Map<string, StoredKey>();
  readonly #lastUses = new Map<string, Date>();

  constructor(log: MemoryLog, now: () => Date) {
    this.#log = log;
    this.#now = now;
  }

  live(): readonly StoredKey[] {
    return [...this.#keys.values()].filter(({ revokedAt }) => revokedAt === null);
  }

  create({ name, role, hash, prefix, expiresAt }: NewApiKey, by: Signature): ApiKey {
    const live = this.live();
    if (live.some(key => key.name === name)) throw new ApiKeyExistsError(name);
    if (live.length >= maxApiKeys) throw new TooManyApiKeysError();
    const createdById = by.actor === null ? null : storedUserId(by.actor);
    const made = { id: randomUUID(), name, role, prefix, createdAt: this.#now(), createdById, expiresAt };
    const key: ApiKey = { ...made, revokedAt: null };
    this.#keys.set(key.id, { ...key, hash });
    this.#log.append(by, { kind: 'API_KEY_CREATED', after: apiKeyState(key) });
    return key;
  }

  /** `key` is null if there is no such key. */
  revoke(id: string, by: Signature): { readonly key: ApiKey | null; readonly isChanged: boolean } {
    const stored = this.#keys.get(id);
    if (stored === undefined) return { key: null, isChanged: false };
    const { hash, ...before } = stored;
    if (before.revokedAt !== null) return { key: before, isChanged: false };
    const after = { ...before, revokedAt: this.#now() };
    this.#keys.set(id, { ...after, hash });
    this.#log.append(by, { kind: 'API_KEY_REVOKED', before: apiKeyState(before), after: apiKeyState(after) });
    return { key: after, isChanged: true };
  }

  noteUses(uses: ReadonlyMap<string, Date>): void {
    for (const [id, at] of uses) {
      if (this.#keys.has(id) && at > (this.#lastUses.get(id) ?? 0)) this.#lastUses.set(id, at);
    }
  }
}
