import type { Caller } from '../../auth/caller.js';
import type { Verifier } from '../../auth/verifier.js';
import type { Deadlines } from '../http/deadlines.js';

/**
 * Calls `act` when the credential of a caller no longer counts: a token has expired, or what signed it counts no longer; an API
 * key has expired, or was revoked.
 * @param endsAt in place of the end of the token, in milliseconds since the epoch; null: never.
 * @returns a function that cancels it.
 */
export type TokenEnds = (caller: Caller, act: (reason: string) => void, endsAt?: number | null) => () => void;

const ofTokens = {
  expired: 'The token has expired.',
  gone: 'The key that signed the token counts no longer.',
};
const ofApiKeys = { expired: 'The API key has expired.', gone: 'The API key was revoked.' };

export function createTokenEnds(deadlines: Deadlines, verifier: Verifier): TokenEnds {
  return (caller, act, endsAt = caller.expiresAt) => {
    const { expired, gone } = caller.apiKey === undefined ? ofTokens : ofApiKeys;
    const forgetExpiry = deadlines.add(endsAt, () => act(expired));
    const forgetKey = verifier.whenKeyLeaves(caller, () => act(gone));
    return () => {
      forgetExpiry();
      forgetKey();
    };
  };
}
