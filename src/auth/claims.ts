import type { JWTPayload } from 'jose';
import { attributeIssues } from '../core/attributes.js';
import type { Attributes } from '../core/evaluate.js';
import { canonicalUserId, isUuid } from '../core/user-id.js';
import type { Caller, Role } from './caller.js';
import { InvalidTokenError } from './invalid-token-error.js';

/** Which claims say who the caller is. Each is the literal name of a claim, such as `https://example.com/role`. */
export interface ClaimNames {
  /** Default `sub`. */
  readonly user: string;
  /** Default `role`. */
  readonly role: string;
  /** Default `attributes`. */
  readonly attributes: string;
}

export const defaultClaimNames: ClaimNames = Object.freeze({ user: 'sub', role: 'role', attributes: 'attributes' });

/** How a role is written in a token. A token without one is a plain user's: there is no word for that. */
export const roleClaims: ReadonlyMap<unknown, 'SERVICE' | 'ADMIN'> = new Map([
  ['service', 'SERVICE'],
  ['admin', 'ADMIN'],
]);

/** The last instant that JavaScript can tell, in seconds since the epoch. */
const endOfTime = 8.64e12;

/**
 * Reads the caller out of a payload whose signature has been verified.
 * @param toleranceSeconds for how long after `exp` the token still counts.
 * @throws InvalidTokenError when a claim is missing or not of the stated form.
 */
export function callerFromClaims(payload: JWTPayload, names: ClaimNames, toleranceSeconds: number): Caller {
  const { exp } = payload;
  if (exp === undefined) throw new InvalidTokenError('The token has no expiry.');
  if (!(Math.abs(exp) <= endOfTime)) throw new InvalidTokenError('The expiry of the token is not a time.');
  const role = readRole(claim(payload, names.role));
  return Object.freeze({
    role,
    userId: readUserId(claim(payload, names.user), role),
    attributes: readAttributes(claim(payload, names.attributes)),
    expiresAt: (exp + toleranceSeconds) * 1000,
  });
}

/** Own claims only; null counts as absent, as some providers write what they do not know. */
function claim(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? (payload[name] ?? undefined) : undefined;
}

function readRole(value: unknown): Exclude<Role, 'ANONYMOUS'> {
  const role = value === undefined ? 'USER' : roleClaims.get(value);
  if (role === undefined) throw new InvalidTokenError('The role in the token is not known.');
  return role;
}

function readUserId(value: unknown, role: Role): string | null {
  if (value === undefined && role !== 'USER') return null;
  if (typeof value !== 'string' || !isUuid(value)) throw new InvalidTokenError('The user in the token is not a UUID.');
  return canonicalUserId(value);
}

function readAttributes(value: unknown): Attributes {
  if (value === undefined) return Object.freeze({});
  const [issue] = attributeIssues(value);
  if (issue !== undefined)
    throw new InvalidTokenError(`The attributes in the token are refused: ${issue.path.join('.')}: ${issue.message}`);
  return value as Attributes;
}
