import type { Attributes } from '../core/evaluate.js';

export type Role = 'ANONYMOUS' | 'USER' | 'SERVICE' | 'ADMIN';

/** Who is asking, as their token proves it. */
export interface Caller {
  readonly role: Role;
  /** UUID in lower case. A user always has one; a service or an admin may. */
  readonly userId: string | null;
  /** The attributes that the token vouches for; they overlay those that are stored. */
  readonly attributes: Attributes;
  /** When the token ends, in milliseconds since the epoch, the tolerance for clocks included. Null: no token, no end. */
  readonly expiresAt: number | null;
}

/** A caller without a token. */
export const anonymous: Caller = Object.freeze({
  role: 'ANONYMOUS',
  userId: null,
  attributes: Object.freeze({}),
  expiresAt: null,
});
