import { errors, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { InvalidTokenError } from './caller.js';
import { noExpiry } from './claims.js';

/** Secrets shared with the issuer of the tokens (HS256). The first one signs; all of them verify. */
export interface Secrets {
  readonly kind: 'secret';
  readonly secrets: readonly Uint8Array[];
  /** Reads them again, where they can change while the process runs. If it rejects, those that were read last stay. */
  readonly reread?: (() => Promise<readonly Uint8Array[]>) | undefined;
}

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
