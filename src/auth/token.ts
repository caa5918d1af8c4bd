import { SignJWT } from 'jose';
import type { Attributes } from '../core/attributes.js';
import { canonicalUserId } from '../core/user-id.js';
import type { Role } from './caller.js';
import { type ClaimNames, defaultClaimNames, roleClaims } from './claims.js';

export interface TokenRequest {
  readonly role: Exclude<Role, 'ANONYMOUS'>;
  /** A user needs one. */
  readonly userId?: string | null | undefined;
  readonly attributes?: Attributes | undefined;
  readonly expiresInSeconds: number;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly claims?: ClaimNames | undefined;
}

/** Signs a token (HS256) that a verifier with the same secret, issuer, audience and claim names accepts. */
export async function mintToken(secret: Uint8Array, request: TokenRequest): Promise<string> {
  const names = request.claims ?? defaultClaimNames;
  const role = [...roleClaims].find(([, known]) => known === request.role)?.[0];
  const issuedAt = Math.floor(Date.now() / 1000);
  const token = new SignJWT({
    ...(request.userId == null ? {} : { [names.user]: canonicalUserId(request.userId) }),
    ...(role === undefined ? {} : { [names.role]: role }),
    ...(request.attributes === undefined ? {} : { [names.attributes]: request.attributes }),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + request.expiresInSeconds);
  if (request.issuer !== undefined) token.setIssuer(request.issuer);
  if (request.audience !== undefined) token.setAudience(request.audience);
  return token.sign(secret);
}
