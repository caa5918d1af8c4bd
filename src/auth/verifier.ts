import { LRUCache } from 'lru-cache';
import { anonymous, type Caller, hasExpired, InvalidTokenError } from './caller.js';
import { type ClaimNames, callerFromClaims, defaultClaimNames } from './claims.js';
import type { Credential } from './credentials.js';
import { createKeys, type TokenKeys } from './keys.js';

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
}

export interface Verifier {
  /**
   * The caller that presented this credential. Null: the anonymous caller.
   * @throws InvalidTokenError if the credential is refused, or the token is not valid.
   * @throws UnavailableError if the identity provider's keys are needed and cannot be read.
   */
  verify(credential: Credential): Promise<Caller>;
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
  const keys = createKeys(options.keys);
  const kept = new LRUCache<string, Caller>({ ...keptTokens, sizeCalculation: (_caller, token) => token.length });
  let keptUnder = keys.version;

  async function verifyToken(token: string): Promise<Caller> {
    const renewal = keys.renew();
    if (renewal !== null) await renewal;
    if (keys.version !== keptUnder) kept.clear();
    keptUnder = keys.version;
    const known = kept.get(token);
    if (known !== undefined) {
      if (!hasExpired(known, now())) return known;
      kept.delete(token);
    }
    const payload = await keys.readPayload(token, {
      clockTolerance: tolerance,
      currentDate: new Date(now()),
      requiredClaims: ['exp'],
      ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
      ...(options.audience === undefined ? {} : { audience: options.audience }),
    });
    const caller = callerFromClaims(payload, claims, tolerance);
    // Keys that changed meanwhile may no longer have the one that signed this token.
    if (keys.version === keptUnder) kept.set(token, caller);
    return caller;
  }

  return {
    async verify(credential) {
      if (credential === null) return anonymous;
      if (credential instanceof InvalidTokenError) throw credential;
      return verifyToken(credential.token);
    },
  };
}
