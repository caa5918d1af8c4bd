import {
  createRemoteJWKSet,
  errors,
  type JWKSCacheInput,
  type JWTPayload,
  type JWTVerifyOptions,
  jwksCache,
  jwtVerify,
  type RemoteJWKSet,
} from 'jose';
import { UnavailableError } from '../core/errors.js';
import { InvalidTokenError } from './caller.js';
import { noExpiry } from './claims.js';

/** The keys that tokens are verified with: a secret shared with the issuer (HS256), or the public keys of an identity provider. */
export type TokenKeys =
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  | { readonly kind: 'jwks'; readonly url: URL };

/** The keys that tokens are verified with. */
export interface Keys {
  /**
   * The claims of a token whose signature and times are valid.
   * @throws InvalidTokenError if they are not.
   * @throws UnavailableError if the keys are needed and cannot be read.
   */
  readPayload(token: string, options: JWTVerifyOptions): Promise<JWTPayload>;
  /** Changes when the keys are seen to have changed; tokens that were verified before must be verified again. */
  readonly version: number;
  /** Reads the keys again if they are too old. The promise never rejects; null: there is nothing to wait for. */
  renew(): Promise<void> | null;
}

/** Nothing is read from the network until the first token asks for it. */
export function createKeys(keys: TokenKeys): Keys {
  return keys.kind === 'secret' ? createSecret(keys.secret) : createKeySet(keys.url);
}

function createSecret(secret: Uint8Array): Keys {
  return {
    version: 0,
    renew: () => null,
    async readPayload(token, options) {
      try {
        return (await jwtVerify(token, secret, { ...options, algorithms: ['HS256'] })).payload;
      } catch (error) {
        throw refusal(error) ?? error;
      }
    },
  };
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

/** Milliseconds for which a key set that was read is used. A key that left the set is refused within this time. */
const maxKeySetAge = 600_000;
/** Milliseconds from an attempt to read the key set that failed to the next. */
const retryDelay = 30_000;

function createKeySet(url: URL): Keys {
  const cache: JWKSCacheInput = {};
  const keySet = createRemoteJWKSet(url, { timeoutDuration: 5_000, cacheMaxAge: maxKeySetAge, [jwksCache]: cache });
  let version = 0;
  /** The time when the key set was last read, and its text. */
  let readAt: number | undefined;
  let keys: string | undefined;
  /** Since when the key set cannot be read; null while it can. */
  let failedAt: number | null = null;
  let attempt: Promise<void> | null = null;

  async function read(): Promise<void> {
    try {
      await keySet.reload();
    } catch {
      failedAt = Date.now();
    } finally {
      attempt = null;
    }
  }

  return {
    get version() {
      // The key set is also read where a token names an unknown key.
      if (cache['uat'] !== readAt) {
        readAt = cache['uat'];
        failedAt = null;
        const before = keys;
        keys = JSON.stringify(cache['jwks']);
        if (keys !== before) version += 1;
      }
      return version;
    },
    renew() {
      if (cache['uat'] === undefined || keySet.fresh) return null;
      if (failedAt === null) {
        attempt ??= read();
        return attempt;
      }
      // While the identity provider cannot be reached, verified tokens stay valid, and no caller waits for it.
      if (Date.now() - failedAt >= retryDelay) attempt ??= read();
      return null;
    },
    async readPayload(token, options) {
      try {
        return await readWithKeySet(token, keySet, { ...options, algorithms: publicKeyAlgorithms });
      } catch (error) {
        // A failure that is not the token's is the endpoint's: no answer, a wrong status, a body that is no key set.
        throw refusal(error) ?? new UnavailableError("The identity provider's keys cannot be read.", { cause: error });
      }
    },
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
    if (error.claim === 'exp' && error.reason === 'missing') return new InvalidTokenError(noExpiry);
    if (error.claim === 'nbf') return new InvalidTokenError('The token is not valid yet.');
    if (error.claim === 'iss')
      return new InvalidTokenError('The claim "iss" of the token is not the issuer that AUTH_ISSUER names.');
    if (error.claim === 'aud')
      return new InvalidTokenError('The claim "aud" of the token does not have the audience that AUTH_AUDIENCE names.');
    return new InvalidTokenError(
      `The claim "${error.claim}" of the token is not a time: expected a number of seconds since 1970.`,
    );
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
