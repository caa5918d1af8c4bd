import type { JWTPayload } from 'jose';
import type { Attributes } from '../core/attributes.js';
import { attributeIssues } from '../core/attributes.js';
import { canonicalUserId, userIdFault, userIdForm } from '../core/user-id.js';
import { type Caller, InvalidTokenError, type Role } from './caller.js';

/** The claims that describe the caller. Each is the literal name of a claim, such as `https://example.com/role`. */
export interface ClaimNames {
  /** Default `sub`. */
  readonly user: string;
  /** Default `role`. */
  readonly role: string;
  /** Default `attributes`. */
  readonly attributes: string;
}

export const defaultClaimNames: ClaimNames = Object.freeze({ user: 'sub', role: 'role', attributes: 'attributes' });

/** The roles that a token can name, the highest first. All other tokens are of plain users: there is no word for that. */
export const roleClaims: ReadonlyMap<string, 'SERVICE' | 'READER' | 'ADMIN'> = new Map([
  ['admin', 'ADMIN'],
  ['reader', 'READER'],
  ['service', 'SERVICE'],
]);

export const noExpiry = 'The token has no claim "exp": expected the time when it expires, in seconds since 1970.';

/** The last time that a JavaScript date can hold, in seconds since the epoch. */
const endOfTime = 8.64e12;

/**
 * Reads the caller out of a payload whose signature has been verified.
 * @param toleranceSeconds for how long after `exp` the token still counts.
 * @throws InvalidTokenError when a claim is missing or not of the stated form.
 */
export function callerFromClaims(payload: JWTPayload, names: ClaimNames, toleranceSeconds: number): Caller {
  const { exp } = payload;
  if (exp === undefined) throw new InvalidTokenError(noExpiry);
  if (!(Math.abs(exp) <= endOfTime))
    throw new InvalidTokenError('The claim "exp" of the token is too large to be a time.');
  const role = readRole(claim(payload, names.role));
  return Object.freeze({
    role,
    userId: readUserId(claim(payload, names.user), role, names.user),
    attributes: readAttributes(claim(payload, names.attributes), names.attributes),
    expiresAt: (exp + toleranceSeconds) * 1000,
  });
}

/** Only own properties count. Null counts as absent, because some providers write it for unknown values. */
function claim(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? (payload[name] ?? undefined) : undefined;
}

/**
 * The highest role that a token names, as one text or in a list. Identity providers issue roles of other programs too, so any
 * other value is that of a plain user.
 */
function readRole(value: unknown): Exclude<Role, 'ANONYMOUS'> {
  const named: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const [name, role] of roleClaims) if (named.includes(name)) return role;
  return 'USER';
}

function readUserId(value: unknown, role: Role, name: string): string | null {
  if (value === undefined) {
    if (role !== 'USER') return null;
    throw new InvalidTokenError(
      `The token has no claim "${name}" (AUTH_USER_CLAIM): expected the id of its user, ${userIdForm}.`,
    );
  }
  // The value itself is not shown: it may be a secret.
  const fault = userIdFault(value);
  if (fault === null) return canonicalUserId(value as string);
  throw new InvalidTokenError(`The claim "${name}" of the token (AUTH_USER_CLAIM) is no user id. ${fault}`);
}

/** One object, so that the answers of before are known again. */
const noAttributes: Attributes = Object.freeze({});

function readAttributes(value: unknown, name: string): Attributes {
  if (value === undefined) return noAttributes;
  const [issue] = attributeIssues(value, [name]);
  if (issue !== undefined) {
    throw new InvalidTokenError(
      `The claim "${name}" of the token (AUTH_ATTRIBUTES_CLAIM) is refused: ${issue.path.join('.')}: ${issue.message}`,
    );
  }
  return value as Attributes;
}
