import { userInfo } from 'node:os';
import { mintToken } from '../auth/token.js';
import type { Config } from '../config.js';
import type { Attributes } from '../core/attributes.js';
import { attributeIssues } from '../core/attributes.js';
import { shortened } from '../core/text.js';
import { userIdFault } from '../core/user-id.js';
import { tokenKeysOf } from '../server/from-config.js';
import { CommandError, UsageError } from './failure.js';

export interface TokenOptions {
  readonly user?: string;
  readonly service?: true;
  readonly reader?: true;
  readonly admin?: true;
  /** Such as `1h`. */
  readonly expires: string;
  /** JSON. */
  readonly attributes?: string;
}

/** The options that name a role. A token without any is a plain user's. */
const roles = [
  { option: 'service', name: 'SERVICE' },
  { option: 'reader', name: 'READER' },
  { option: 'admin', name: 'ADMIN' },
] as const;

/**
 * Creates a token, signed with the secret of the server.
 * @throws UsageError if the options are wrong.
 * @throws CommandError if tokens come from an identity provider.
 */
export async function token(config: Config, options: TokenOptions): Promise<string> {
  const user = options.admin ? (authorOf(options.user) ?? undefined) : options.user;
  const [role, other] = roles.filter(({ option }) => options[option]);
  if (role !== undefined && other !== undefined) {
    throw new UsageError(
      `--${role.option} and --${other.option} are both given, expected one of --service, --reader and --admin.`,
    );
  }
  if (user === undefined && role === undefined)
    throw new UsageError('The holder of the token is missing: give --user <id>, --service, --reader or --admin.');
  if (user !== undefined) checkUser(user);
  const expiresInSeconds = parseDuration(options.expires);
  const attributes = options.attributes === undefined ? undefined : parseAttributes(options.attributes);
  if (config.auth.keys.kind === 'jwks') {
    throw new CommandError(
      'AUTH_JWKS_URL is set, so only the identity provider can issue tokens: get a token there, or unset AUTH_JWKS_URL.',
    );
  }
  const keys = await tokenKeysOf(config);
  const [secret] = keys.kind === 'secret' ? keys.secrets : [];
  if (secret === undefined) throw new TypeError('Only a secret can sign tokens.');
  return mintToken(secret, {
    ...config.auth,
    role: role?.name ?? 'USER',
    userId: user,
    attributes,
    expiresInSeconds,
  });
}

/**
 * The author of an admin's changes. Without one that is given, the user of the operating system, so that the change log shows who made a change.
 * @param user as `--user` gives it.
 * @throws UsageError if it is no user id.
 */
export function authorOf(user: string | undefined): string | null {
  if (user === undefined) return operatingSystemUser();
  checkUser(user);
  return user;
}

function checkUser(user: string): void {
  const fault = userIdFault(user);
  if (fault !== null) throw new UsageError(`--user is ${JSON.stringify(shortened(user))}. ${fault}`);
}

function operatingSystemUser(): string | null {
  try {
    const id = `cli:${userInfo().username}`;
    return userIdFault(id) === null ? id : null;
  } catch {
    // A process whose user has no name, such as in a container.
    return null;
  }
}

const units = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const longest = 3_650 * units.d;

/** The seconds of a time such as `1h`. @param most in seconds, whole days. @throws UsageError */
export function parseDuration(text: string, most: number = longest): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const seconds = match === null ? 0 : Number(match[1]) * units[match[2] as keyof typeof units];
  if (seconds < 1 || seconds > most) {
    throw new UsageError(
      `--expires is "${text}", expected a time such as 30s, 15m, 1h or 7d, at most ${most / units.d}d.`,
    );
  }
  return seconds;
}

function parseAttributes(text: string): Attributes {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`--attributes is not JSON, expected an object such as '{"plan":"pro"}'.`);
  }
  const [issue] = attributeIssues(value, ['--attributes']);
  if (issue !== undefined) throw new UsageError(`${issue.path.join('.')}: ${issue.message}`);
  return value as Attributes;
}
