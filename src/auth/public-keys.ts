import { KeyObject, type webcrypto } from 'node:crypto';
import {
  type CryptoKey,
  errors,
  type JWSHeaderParameters,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { InvalidTokenError } from './caller.js';
import type { KeySet } from './key-set.js';
import type { Keys, Signer, VerifiedToken } from './keys.js';

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

/** The public keys of an identity provider. */
export function createPublicKeys(set: KeySet): Keys {
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
