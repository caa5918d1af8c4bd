import { createHmac } from 'node:crypto';

/** The id of the i-th stored user, as seeding writes it. */
export const userId = (i: number) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = encode({ alg: 'HS256', typ: 'JWT' });

/**
 * Signs a token for a day. Synchronous and cheap, unlike the product's own: the load generator makes one a request
 * where there are too many users to make them beforehand.
 */
export function sign(secret: string, claims: { readonly sub?: string; readonly role?: string }): string {
  const iat = Math.floor(Date.now() / 1_000);
  const signed = `${header}.${encode({ ...claims, iat, exp: iat + 86_400 })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
