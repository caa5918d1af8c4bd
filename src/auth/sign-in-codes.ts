import { createHmac, randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';

/** How long a code counts, in seconds. Clocks of machines may differ by a few more. */
export const codeLife = 60;
const tolerance = 5;

/** What a code is exchanged for: a token of an admin. */
export interface SignIn {
  /** The user id of the admin, as the author of changes. Null: the token names nobody. */
  readonly userId: string | null;
  /** The lifetime of the token, in seconds from the exchange. */
  readonly expiresInSeconds: number;
}

/** A code as it comes back. Its id is a UUID, and no other code has it. */
export interface ReadCode extends SignIn {
  readonly id: string;
}

/**
 * Codes are signed with a key of their own. So no code is ever a token and no token a code, whatever claims either has. The text is
 * nothing that the secret signs otherwise: what is signed of a token has a dot.
 */
const keyOf = (secret: Uint8Array) => createHmac('sha256', secret).update('halyard sign-in code').digest();

/** Makes a code. Servers with the same secret exchange it, once, within {@link codeLife}. */
export function makeCode(secret: Uint8Array, { userId, expiresInSeconds }: SignIn): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ ...(userId === null ? {} : { sub: userId }), life: expiresInSeconds })
    .setProtectedHeader({ alg: 'HS256' })
    .setJti(randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + codeLife)
    .sign(keyOf(secret));
}

/**
 * Reads a code. Null: none of the secrets has signed it, or it has expired. Whether it has been exchanged before is for the caller to find out.
 * @param now milliseconds since the epoch.
 */
export async function readCode(
  secrets: readonly Uint8Array[],
  code: string,
  now: number = Date.now(),
): Promise<ReadCode | null> {
  const options = {
    algorithms: ['HS256'],
    clockTolerance: tolerance,
    maxTokenAge: codeLife,
    currentDate: new Date(now),
  };
  for (const secret of secrets) {
    try {
      const { payload } = await jwtVerify(code, keyOf(secret), options);
      return { id: payload.jti as string, userId: payload.sub ?? null, expiresInSeconds: payload['life'] as number };
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
  }
  return null;
}
