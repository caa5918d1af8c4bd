import type { Attributes } from '../core/attributes.js';
import { FeatureError } from '../core/errors.js';

export type Role = 'ANONYMOUS' | 'USER' | 'SERVICE' | 'READER' | 'ADMIN';

/** The sender of a request, as its token or its API key proves. */
export interface Caller {
  readonly role: Role;
  /** In its canonical form. A user always has one; other roles may. */
  readonly userId: string | null;
  /** The attributes that the token vouches for; they overlay those that are stored. */
  readonly attributes: Attributes;
  /** When the credential expires, in milliseconds since the epoch, the tolerance for clocks included. Null: never. */
  readonly expiresAt: number | null;
  /** The API key that the caller presented. Absent: it presented none. Then `userId` is null. */
  readonly apiKey?: { readonly id: string; readonly name: string };
}

/** A caller without a token. */
export const anonymous: Caller = Object.freeze({
  role: 'ANONYMOUS',
  userId: null,
  attributes: Object.freeze({}),
  expiresAt: null,
});

/** Whether a caller may say for whom flags are evaluated. For all others the credential and the device say it. */
export function mayStateContext({ role }: Caller): boolean {
  return role === 'SERVICE' || role === 'READER' || role === 'ADMIN';
}

/** Whether the questions of a caller count as uses of flags; see `Usage.questionsOf`. */
export function isCounted({ role }: Caller): boolean {
  return role !== 'ANONYMOUS' && role !== 'READER';
}

/** Whether the credential of a caller has expired. `now` is in milliseconds since the epoch. */
export function hasExpired({ expiresAt }: Caller, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** A credential is refused. The message says why in general words and never contains any part of a token. */
export class InvalidTokenError extends FeatureError {
  override readonly name = 'InvalidTokenError';
  readonly code = 'UNAUTHENTICATED';
}
