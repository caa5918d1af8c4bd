import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, type RemoteJWKSet } from 'jose';
import { LRUCache } from 'lru-cache';
import { UnavailableError } from '../core/errors.js';
import { anonymous, type Caller } from './caller.js';
import { type ClaimNames, callerFromClaims, defaultClaimNames } from './claims.js';
import type { Credential } from './credentials.js';
import { InvalidTokenError } from './invalid-token-error.js';

/** What proves a token: a secret shared with whoever mints (HS256), or the public keys of an identity provider. */
export type TokenKeys =
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  | { readonly kind: 'jwks'; readonly url: URL };

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

/** With public keys a shared-secret algorithm must never be accepted: the public key would be the secret. */
const publicKeyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Verifying costs more than answering, so tokens that passed are kept until they end, within this many characters. */
const keptTokens = { max: 10_000, maxSize: 16_000_000 };

/** Nothing is read from the network until the first token asks for it. */
export function createVerifier(options: VerifierOptions): Verifier {
  const claims = options.claims ?? defaultClaimNames;
  const tolerance = options.clockToleranceSeconds ?? 5;
  const now = options.now ?? Date.now;
  const readPayload = payloadReader(options.keys);
  const kept = new LRUCache<string, Caller>({ ...keptTokens, sizeCalculation: (_caller, token) => token.length });

  async function verifyToken(token: string): Promise<Caller> {
    const known = kept.get(token);
    if (known !== undefined) {
      if ((known.expiresAt ?? 0) > now()) return known;
      kept.delete(token);
    }
    const payload = await readPayload(token, {
      clockTolerance: tolerance,
      currentDate: new Date(now()),
      requiredClaims: ['exp'],
      ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
      ...(options.audience === undefined ? {} : { audience: options.audience }),
    });
    const caller = callerFromClaims(payload, claims, tolerance);
    kept.set(token, caller);
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

type PayloadReader = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

function payloadReader(keys: TokenKeys): PayloadReader {
  if (keys.kind === 'secret') {
    return (token, options) =>
      jwtVerify(token, keys.secret, { ...options, algorithms: ['HS256'] }).then(
        ({ payload }) => payload,
        error => {
          throw refusal(error) ?? error;
        },
      );
  }
  const remote = createRemoteJWKSet(keys.url, { timeoutDuration: 5_000 });
  return async (token, options) => {
    try {
      return await readWithKeySet(token, remote, { ...options, algorithms: publicKeyAlgorithms });
    } catch (error) {
      // What is not the token's fault is the endpoint's: no answer, a wrong status, a body that is no key set.
      throw refusal(error) ?? new UnavailableError("The identity provider's keys cannot be read.", { cause: error });
    }
  };
}

/** A token without a `kid` may fit several keys of the set: each is tried. */
async function readWithKeySet(token: string, keySet: RemoteJWKSet, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keySet, options)).payload;
  } catch (ambiguous) {
    if (!(ambiguous instanceof errors.JWKSMultipleMatchingKeys)) throw ambiguous;
    for await (const key of ambiguous) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Why a token is refused, or null where the failure is not the token's. */
function refusal(error: unknown): InvalidTokenError | null {
  if (error instanceof errors.JWTExpired) return new InvalidTokenError('The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'exp' && error.reason === 'missing') return new InvalidTokenError('The token has no expiry.');
    if (error.claim === 'nbf') return new InvalidTokenError('The token is not valid yet.');
    if (error.claim === 'iss') return new InvalidTokenError('The token is from another issuer.');
    if (error.claim === 'aud') return new InvalidTokenError('The token is for another audience.');
    return new InvalidTokenError('A claim of the token is not valid.');
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return new InvalidTokenError('The signature of the token is not valid.');
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return new InvalidTokenError('The signature algorithm of the token is not accepted.');
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return new InvalidTokenError('The token is not a well-formed JSON Web Token.');
  }
  return null;
}
