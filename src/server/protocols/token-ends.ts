import type { Caller } from '../../auth/caller.js';
import type { Verifier } from '../../auth/verifier.js';
import type { Deadlines } from '../http/deadlines.js';

/**
 * Calls `act` when the token of a caller no longer counts: it has expired, or what signed it counts no longer.
 * @param endsAt in place of the end of the token, in milliseconds since the epoch; null: never.
 * @returns a function that cancels it.
 */
export type TokenEnds = (caller: Caller, act: (reason: string) => void, endsAt?: number | null) => () => void;

export function createTokenEnds(deadlines: Deadlines, verifier: Verifier): TokenEnds {
  return (caller, act, endsAt = caller.expiresAt) => {
    const forgetExpiry = deadlines.add(endsAt, () => act('The token has expired.'));
    const forgetKey = verifier.whenKeyLeaves(caller, () => act('The key that signed the token counts no longer.'));
    return () => {
      forgetExpiry();
      forgetKey();
    };
  };
}
