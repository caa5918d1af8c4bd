import { createHmac, timingSafeEqual } from 'node:crypto';
import { errors, type JWTVerifyOptions, jwtVerify, UnsecuredJWT } from 'jose';
import type { Log } from '../core/log.js';
import type { Keys, Secrets, Signer, VerifiedToken } from './keys.js';

/** Milliseconds between two readings of secrets that can change. */
const rereadInterval = 1_000;

interface SecretSigner extends Signer {
  readonly secret: Uint8Array;
}

/** Secrets that can change are read again at most once a second, while tokens are verified or somebody waits for a secret to leave. */
export function createSecrets({ secrets, reread }: Secrets, log?: Log): Keys {
  let version = 0;
  let present = signersOf(secrets);
  let readAt = performance.now();
  let reading: Promise<void> | null = null;
  /** The message of the last attempt, so that one fault is one line of the log. */
  let fault: string | null = null;

  function signersOf(all: readonly Uint8Array[]): readonly SecretSigner[] {
    return all.map(secret => ({
      secret,
      version,
      isKept: async () => present.some(kept => isSame(kept.secret, secret)),
    }));
  }

  async function read(again: () => Promise<readonly Uint8Array[]>): Promise<void> {
    try {
      const found = await again();
      if (fault !== null) log?.info({}, 'The secrets that verify tokens can be read again.');
      fault = null;
      const isUnchanged =
        found.length === present.length && found.every((secret, place) => isSame(secret, present[place]?.secret));
      if (isUnchanged) return;
      version += 1;
      present = signersOf(found);
      log?.info({}, 'The secrets that verify tokens have changed.');
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== fault) {
        log?.warn(
          { err: error },
          'The secrets that verify tokens cannot be read again. Those that were read last stay.',
        );
      }
      fault = message;
    } finally {
      readAt = performance.now();
      reading = null;
    }
  }

  return {
    get version() {
      return version;
    },
    renewalInterval: reread === undefined ? Number.POSITIVE_INFINITY : rereadInterval,
    renew() {
      if (reread === undefined) return null;
      if (performance.now() - readAt >= rereadInterval) reading ??= read(reread);
      return reading;
    },
    async read(token, options) {
      const { payload, signer } = await verifyWithAny(token, present, options);
      // A secret that cannot change needs nobody who waits for it to leave.
      return { payload, signer: reread === undefined ? null : signer };
    },
  };
}

const headerOf = (header: object): string => Buffer.from(JSON.stringify(header)).toString('base64url');

/** The headers that nearly all libraries write: they name the algorithm, and nothing else that is to be heeded. */
const plainHeaders: ReadonlySet<string> = new Set(
  [{ alg: 'HS256', typ: 'JWT' }, { alg: 'HS256' }, { typ: 'JWT', alg: 'HS256' }].map(headerOf),
);
const unsecuredHeader = headerOf({ alg: 'none' });

/**
 * A token with a plain header is compared with its signature here, in some microseconds: `jose` asks Web Crypto, which imports the secret
 * and computes in another thread, for each token. All other tokens, and those that this does not accept, are the library's.
 * @throws the error of the secret that signed the token, or that no secret did.
 */
async function verifyWithAny(
  token: string,
  signers: readonly SecretSigner[],
  options: JWTVerifyOptions,
): Promise<VerifiedToken> {
  const [header = '', claims, signature, ...more] = token.split('.');
  if (plainHeaders.has(header) && signature !== undefined && more.length === 0) {
    for (const signer of signers) {
      if (!isSignature(signature, `${header}.${claims}`, signer.secret)) continue;
      return { payload: UnsecuredJWT.decode(`${unsecuredHeader}.${claims}.`, options).payload, signer };
    }
  }
  for (const signer of signers) {
    try {
      const { payload } = await jwtVerify(token, signer.secret, { ...options, algorithms: ['HS256'] });
      return { payload, signer };
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function isSignature(signature: string, signed: string, secret: Uint8Array): boolean {
  const expected = createHmac('sha256', secret).update(signed).digest('base64url');
  return isSame(Buffer.from(expected), Buffer.from(signature));
}

function isSame(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && one.length === other.length && timingSafeEqual(one, other);
}
