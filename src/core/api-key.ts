import { FeatureError } from './errors.js';
import type { JsonObject } from './json.js';
import { bounded, shortened } from './text.js';

/** The roles that an API key can have. None is a user's: a key is of a program. */
export const apiKeyRoles = ['SERVICE', 'READER', 'ADMIN'] as const;

export type ApiKeyRole = (typeof apiKeyRoles)[number];

/** What is known of an API key. Its secret is known to its holder alone. */
export interface ApiKey {
  /** A UUID. */
  readonly id: string;
  /** 1 to 100 characters; unique among the keys that are not revoked. */
  readonly name: string;
  readonly role: ApiKeyRole;
  /** How the secret begins, so that people recognise it. */
  readonly prefix: string;
  readonly createdAt: Date;
  /** The user who made the key; null if a key or a program made it. */
  readonly createdById: string | null;
  /** From then on the key is refused. Null: never. */
  readonly expiresAt: Date | null;
  /** When the key was revoked. Null: it is not. */
  readonly revokedAt: Date | null;
}

/** How each secret begins. Programs that look for secrets in code know it by that. */
const mark = 'hly_';
/** `hly_` and 32 random bytes in base64url. */
const secretForm = bounded(/^hly_[\w-]{43}$/, mark.length + 43);
/** The characters of a secret that are stored: they leave 226 of its 256 bits unknown. */
const prefixLength = mark.length + 5;

/** The most keys that are not revoked, expired ones included: each node holds all of them in memory. */
export const maxApiKeys = 1_000;

/** The secret that is made of 32 random bytes. */
export function apiKeySecret(random: Uint8Array): string {
  return mark + Buffer.from(random).toString('base64url');
}

export function apiKeyPrefix(secret: string): string {
  return secret.slice(0, prefixLength);
}

/** Whether a text can only be meant as an API key. It need not be a well-formed one. */
export function isLikeApiKey(text: string): boolean {
  return text.startsWith(mark);
}

/** Whether a text has the form of a secret. */
export function isApiKeySecret(text: string): boolean {
  return secretForm.test(text);
}

/** Reads a key from the `before` or `after` of an API_KEY_* change. */
export function apiKeyFromLog(state: JsonObject): ApiKey {
  const { createdAt, expiresAt, revokedAt, ...rest } = state as unknown as Omit<ApiKey, TimeNames> & Times;
  return {
    ...rest,
    createdAt: new Date(createdAt),
    expiresAt: timeOrNull(expiresAt),
    revokedAt: timeOrNull(revokedAt),
  };
}

/** The state of a key as the change log has it. */
export function apiKeyState({ createdAt, expiresAt, revokedAt, ...rest }: ApiKey): JsonObject {
  return {
    ...rest,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    revokedAt: revokedAt?.toISOString() ?? null,
  };
}

type TimeNames = 'createdAt' | 'expiresAt' | 'revokedAt';

interface Times {
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

const timeOrNull = (text: string | null): Date | null => (text === null ? null : new Date(text));

/** A key that is not revoked has this name already. */
export class ApiKeyExistsError extends FeatureError {
  override readonly name = 'ApiKeyExistsError';
  readonly code = 'API_KEY_EXISTS';
  override readonly path = ['name'];

  constructor(keyName: string) {
    super(`An API key with the name "${shortened(keyName)}" exists already: revoke it, or choose another name.`);
  }
}

/** No API key has this id. */
export class ApiKeyNotFoundError extends FeatureError {
  override readonly name = 'ApiKeyNotFoundError';
  readonly code = 'API_KEY_NOT_FOUND';
  override readonly path = ['id'];

  constructor() {
    super('There is no API key with this id.');
  }
}

/** There are {@link maxApiKeys} keys. */
export class TooManyApiKeysError extends FeatureError {
  override readonly name = 'TooManyApiKeysError';
  readonly code = 'TOO_MANY_API_KEYS';

  constructor() {
    super(
      `There are ${maxApiKeys} API keys that are not revoked, and no more are allowed: revoke keys that nobody needs, such as expired ones.`,
    );
  }
}
