import { LRUCache } from 'lru-cache';
import { type ApiKey, isLikeApiKey } from '../core/api-key.js';
import type { Log } from '../core/log.js';
import { eachInSlices } from '../streams/slices.js';
import { anonymous, type Caller, hasExpired, InvalidTokenError } from './caller.js';
import { type ClaimNames, callerFromClaims, defaultClaimNames } from './claims.js';
import type { Credential } from './credentials.js';
import { KeySet } from './key-set.js';
import { type Keys, refusal, type Signer, type TokenKeys } from './keys.js';
import { createPublicKeys } from './public-keys.js';
import { createSecrets } from './secrets.js';

/** The API keys that count. Asking costs no I/O. */
export interface KnownApiKeys {
  /** The key with this secret, which may have expired: the same object as long as it counts. Null: there is none. */
  find(secret: string): ApiKey | null;
  /** Calls `act` once when the key is revoked, at once if it is. Returns a function that cancels it. */
  whenRevoked(id: string, act: () => void): () => void;
}

export interface VerifierOptions {
  readonly keys: TokenKeys;
  /** Required value of `iss`; absent: any. */
  readonly issuer?: string | undefined;
  /** Required member of `aud`; absent: any. */
  readonly audience?: string | undefined;
  readonly claims?: ClaimNames | undefined;
  /** How far clocks may differ, in seconds. Default 5. */
  readonly clockToleranceSeconds?: number | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: there are no API keys. */
  readonly apiKeys?: KnownApiKeys | undefined;
  /** Told when the keys cannot be read, and when they can again. */
  readonly log?: Log | undefined;
}

export interface Verifier {
  /**
   * The caller that presented this credential. Null: the anonymous caller.
   * @throws InvalidTokenError if the credential is refused, or the token is not valid.
   * @throws UnavailableError if the identity provider's keys are needed and cannot be read.
   */
  verify(credential: Credential): Promise<Caller>;
  /**
   * Calls `act` once when the caller's API key is revoked; at once if it is. For a token, when the key that signed it has left the key
   * set or the file of secrets, as one that could be read shows. As long as anybody waits for that, it is read when it is too old, also
   * without requests.
   * @returns a function that cancels it.
   */
  whenKeyLeaves(caller: Caller, act: () => void): () => void;
  /** Calls `act` once when the API key with this id is revoked; at once if it is. Returns a function that cancels it. */
  whenApiKeyLeaves(id: string, act: () => void): () => void;
}

/**
 * Verifying costs more than answering, so tokens that passed are kept until they expire or the keys change, within this many
 * characters.
 */
const maxKeptTokens = 10_000;
const maxKeptTokenLength = 16_000_000;
const keptTokens = { max: maxKeptTokens, maxSize: maxKeptTokenLength };

/** Nothing is read from the network until the first token asks for it. */
export function createVerifier(options: VerifierOptions): Verifier {
  const claims = options.claims ?? defaultClaimNames;
  const tolerance = options.clockToleranceSeconds ?? 5;
  const now = options.now ?? Date.now;
  const keys = keysOf(options);
  const { apiKeys } = options;
  /** One caller a key, so that answers to it are kept. */
  const keyHolders = new WeakMap<ApiKey, Caller>();
  const kept = new LRUCache<string, Caller>({ ...keptTokens, sizeCalculation: (_caller, token) => token.length });
  let keptUnder = keys.version;
  /** By caller, what signed its token, if that can leave. */
  const signers = new WeakMap<Caller, Signer>();
  /** By key, what is to be done when it leaves the set. */
  const watched = new Map<Signer, Set<() => void>>();
  let timer: NodeJS.Timeout | null = null;

  /** What was verified with earlier keys stands only as far as the present ones say the same. */
  function noticeKeys(): void {
    if (keys.version === keptUnder) return;
    keptUnder = keys.version;
    kept.clear();
    for (const signer of watched.keys()) void actIfGone(signer);
  }

  async function actIfGone(signer: Signer): Promise<void> {
    if (await signer.isKept()) return;
    const acts = watched.get(signer) ?? [];
    unwatch(signer);
    await eachInSlices(acts, act => act());
  }

  async function renewKeys(): Promise<void> {
    await keys.renew();
    noticeKeys();
  }

  function unwatch(signer: Signer): void {
    watched.delete(signer);
    if (watched.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  }

  async function verifyToken(token: string): Promise<Caller> {
    const renewal = keys.renew();
    if (renewal !== null) await renewal;
    noticeKeys();
    const known = kept.get(token);
    if (known !== undefined) {
      if (!hasExpired(known, now())) return known;
      kept.delete(token);
    }
    const requirements = {
      clockTolerance: tolerance,
      currentDate: new Date(now()),
      requiredClaims: ['exp'],
      ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
      ...(options.audience === undefined ? {} : { audience: options.audience }),
    };
    const { payload, signer } = await keys.read(token, requirements).catch((error: unknown) => {
      throw refusal(error) ?? error;
    });
    const caller = callerFromClaims(payload, claims, tolerance);
    // Keys that changed meanwhile may no longer have the one that signed this token.
    noticeKeys();
    if (signer !== null) signers.set(caller, signer);
    if (signer === null || signer.version === keptUnder) kept.set(token, caller);
    return caller;
  }

  function verifyApiKey(secret: string): Caller {
    const key = apiKeys?.find(secret) ?? null;
    if (key === null) throw new InvalidTokenError('The API key is unknown, or was revoked.');
    const known = keyHolders.get(key);
    const caller = known ?? callerOfApiKey(key);
    if (hasExpired(caller, now())) throw new InvalidTokenError('The API key has expired.');
    if (known === undefined) keyHolders.set(key, caller);
    return caller;
  }

  function whenApiKeyLeaves(id: string, act: () => void): () => void {
    if (apiKeys !== undefined) return apiKeys.whenRevoked(id, act);
    act();
    return () => {};
  }

  return {
    async verify(credential) {
      if (credential === null) return anonymous;
      if (credential instanceof InvalidTokenError) throw credential;
      const { token } = credential;
      return isLikeApiKey(token) ? verifyApiKey(token) : verifyToken(token);
    },
    whenApiKeyLeaves,
    whenKeyLeaves(caller, act) {
      if (caller.apiKey !== undefined) return whenApiKeyLeaves(caller.apiKey.id, act);
      const signer = signers.get(caller);
      // One function for all: a closure would keep the caller in memory for as long as its connection.
      if (signer === undefined) return nothing;
      const acts = watched.get(signer) ?? new Set();
      watched.set(signer, acts.add(act));
      timer ??= setInterval(() => void renewKeys(), keys.renewalInterval).unref();
      // The keys may have changed since the token was verified.
      if (signer.version !== keys.version) void actIfGone(signer);
      return () => {
        acts.delete(act);
        if (acts.size === 0 && watched.get(signer) === acts) unwatch(signer);
      };
    },
  };
}

const nothing = () => {};

function keysOf({ keys, log }: VerifierOptions): Keys {
  return keys.kind === 'secret' ? createSecrets(keys, log) : createPublicKeys(new KeySet({ ...keys, log }));
}

function callerOfApiKey({ id, name, role, expiresAt }: ApiKey): Caller {
  const apiKey = Object.freeze({ id, name });
  return Object.freeze({
    role,
    userId: null,
    attributes: Object.freeze({}),
    expiresAt: expiresAt?.getTime() ?? null,
    apiKey,
  });
}
