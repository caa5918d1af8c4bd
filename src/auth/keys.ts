import { KeyObject, type webcrypto } from 'node:crypto';
import {
  type CryptoKey,
  errors,
  type JWSHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { Log } from '../core/log.js';
import { InvalidTokenError } from './caller.js';
import { noExpiry } from './claims.js';
import { KeySet } from './key-set.js';
import { createSecrets, type Secrets } from './secrets.js';

/** The keys that tokens are verified with: secrets shared with the issuer, or the public keys of an identity provider. */
export type TokenKeys =
  | Secrets
  | {
      readonly kind: 'jwks';
      readonly url: URL;
      /** See `KeySetOptions`. */
      readonly maxAge?: number;
      readonly timeout?: number;
    };

/** The key that a token was verified with. */
export interface Signer {
  /** The {@link Keys.version} that had the key. */
  readonly version: number;
  /** Whether the keys, as they were last read, would still verify what this one has signed. Never rejects. */
  isKept(): Promise<boolean>;
}

export interface VerifiedToken {
  readonly payload: JWTPayload;
  /** Null: a key that does not change. */
  readonly signer: Signer | null;
}

/** The keys that tokens are verified with. */
export interface Keys {
  /**
   * The claims of a token whose signature and times are valid, and the key that signed it.
   * @throws Error of `jose` if they are not: see {@link refusal}.
   * @throws InvalidTokenError if they cannot be.
   * @throws UnavailableError if the keys are needed and cannot be read.
   */
  read(token: string, options: JWTVerifyOptions): Promise<VerifiedToken>;
  /** Changes when the keys are seen to have changed; tokens that were verified before must be verified again. */
  readonly version: number;
  /** Reads the keys again if they are too old. The promise never rejects; null: there is nothing to wait for. */
  renew(): Promise<void> | null;
  /** Milliseconds after which it is worth to call {@link renew} again, where no requests do. */
  readonly renewalInterval: number;
}

/** Nothing is read from the network until the first token asks for it. */
export function createKeys(keys: TokenKeys, log?: Log): Keys {
  return keys.kind === 'secret' ? createSecrets(keys, log) : createKeySet(new KeySet({ ...keys, log }));
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

/** Keys that are tried for a token that does not say which one signed it. */
const maxTriedKeys = 16;

interface KeySetSigner extends Signer {
  readonly key: CryptoKey;
}

function createKeySet(set: KeySet): Keys {
  /** By what tokens say of their key, of the present version. */
  const signers = new Map<string, KeySetSigner>();

  function signerOf(
    { alg, kid }: JWSHeaderParameters & { alg: string },
    key: CryptoKey,
    version: number,
  ): KeySetSigner {
    const name = JSON.stringify([alg, kid]);
    const known = signers.get(name);
    if (known?.key === key && known.version === version) return known;
    if (known !== undefined && known.version !== version) signers.clear();
    const header = kid === undefined ? { alg } : { alg, kid };
    const signer = { key, version, isKept: () => isKept(key, header) };
    signers.set(name, signer);
    return signer;
  }

  async function isKept(key: CryptoKey, header: JWSHeaderParameters): Promise<boolean> {
    const { last } = set;
    if (last === null) return false;
    const only = async () => [await last.find(header)];
    const fitting = await only()
      .catch(everyKey)
      .catch(() => []);
    const known = keyObject(key);
    return fitting.some(other => keyObject(other).equals(known));
  }

  async function read(token: string, options: JWTVerifyOptions): Promise<VerifiedToken> {
    let version = 0;
    const verify = async (find: JWTVerifyGetKey<CryptoKey>) => {
      const { payload, protectedHeader, key } = await jwtVerify(token, find, options);
      return { payload, signer: signerOf(protectedHeader, key, version) };
    };
    // Asked for only when the token is well-formed.
    const find = async (header: JWSHeaderParameters) => {
      const keys = await set.current();
      version = keys.version;
      try {
        return await keys.find(header);
      } catch (error) {
        // The provider may have begun to sign with a new key.
        const later = error instanceof errors.JWKSNoMatchingKey ? await set.later(keys) : null;
        if (later === null) throw error;
        version = later.version;
        return later.find(header);
      }
    };
    try {
      return await verify(find);
    } catch (ambiguous) {
      // A token without a `kid` may fit several keys of the set: each is tried.
      for (const key of await everyKey(ambiguous)) {
        try {
          return await verify(async () => key);
        } catch (error) {
          if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  return {
    get version() {
      return set.version;
    },
    renewalInterval: set.renewalInterval,
    renew: () => set.renew(),
    read: (token, options) => read(token, { ...options, algorithms: publicKeyAlgorithms }),
  };
}

const keyObject = (key: CryptoKey) => KeyObject.from(key as webcrypto.CryptoKey);

/**
 * The keys among which a header did not decide.
 * @throws any other error.
 */
async function everyKey(ambiguous: unknown): Promise<readonly CryptoKey[]> {
  if (!(ambiguous instanceof errors.JWKSMultipleMatchingKeys)) throw ambiguous;
  const keys: CryptoKey[] = [];
  for await (const key of ambiguous) {
    if (keys.push(key) > maxTriedKeys) throw new InvalidTokenError(tooManyKeys);
  }
  return keys;
}

const tooManyKeys = `More than ${maxTriedKeys} keys of the identity provider fit the token: its header must name one ("kid").`;

/** Why a token is refused, by the error of {@link Keys.read}; null where the failure is not the token's. */
export function refusal(error: unknown): InvalidTokenError | null {
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
