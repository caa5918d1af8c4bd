import { z } from 'zod';
import { DatabaseUrlError, parseDatabaseUrl } from '../core/database-url.js';
import { parseAddress, parseNetwork } from '../core/network.js';
import { adviceOnOrigin } from './origins.js';

/** The proxies whose `X-Forwarded-For` counts: none, all, this number of proxies in front, or those in these ranges. */
export type TrustProxy = boolean | number | readonly string[];

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
/** The shortest secret for tokens, in bytes: HS256 asks for as many as its hash has. */
export const minSecretBytes = 32;

export const boolean = z.enum(['true', 'false'], 'expected true or false').transform(text => text === 'true');
export const claimName = z.string().max(200, 'expected at most 200 characters');

export function integer(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine(value => value >= min && value <= max, message);
}

export function url(accepted: string, protocols: readonly string[]) {
  return z
    .string()
    .refine(text => URL.canParse(text) && protocols.includes(new URL(text).protocol), `expected ${accepted}`);
}

export const origins = z.string().transform((text, context): '*' | readonly string[] => {
  if (text === '*') return '*';
  const list = splitList(text);
  for (const origin of list.length === 0 ? [text] : list) {
    const advice = adviceOnOrigin(origin);
    if (advice === null) continue;
    const message = `expected * or comma-separated origins such as https://app.example.com and https://*.example.com; ${advice}`;
    context.addIssue({ code: 'custom', message });
  }
  return list;
});

/** Slashes, and signs of a path that no proxy and no client writes in more than one way. */
export const pathPrefix = z.string().transform((text, context) => {
  if (/^(\/[\w.~-]+)+$/.test(text) && !text.split('/').some(part => part === '.' || part === '..')) return text;
  const bare = text.replace(/^\/+|\/+$/g, '');
  const isMended = /^[\w~-]+(\/[\w~-]+)*$/.test(bare);
  const message = isMended
    ? `expected a path with a slash before it and none behind; write /${bare}`
    : 'expected a path such as /flags, of letters, digits and the signs - . _ ~';
  context.addIssue({ code: 'custom', message });
  return text;
});

/** An address that other addresses are appended to. */
export const publicUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url !== null && ['http:', 'https:'].includes(url.protocol);
  const extra = url === null ? [] : [url.username, url.password, url.search, url.hash].filter(part => part !== '');
  if (isWeb && extra.length === 0 && !/[?#]/.test(text)) return url.href.replace(/\/$/, '');
  const message =
    'expected an absolute address such as https://flags.example.com or https://example.com/flags, without a user, a query and a fragment';
  context.addIssue({ code: 'custom', message });
  return text;
});

export const trustProxy = z.string().transform((text, context): TrustProxy => {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const list = splitList(text);
  for (const range of list.length === 0 ? [text] : list) {
    if (parseAddress(range) === null && parseNetwork(range) === null) {
      const message = `expected true, false, a number of proxies, or comma-separated addresses and CIDR ranges; "${range}" is none`;
      context.addIssue({ code: 'custom', message });
    }
  }
  return list;
});

export const metrics = z
  .string()
  .refine(
    text => /^(true|false|\d{1,5})$/.test(text) && !(Number(text) > 65_535),
    'expected true, false, or a port from 0 to 65535',
  )
  .transform(text => (/^\d/.test(text) ? Number(text) : text === 'true'));

export const postgresUrl = z.string().superRefine((text, context) => {
  try {
    parseDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

/** A name, and maybe a colour. */
export const environment = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,49}(:#[0-9a-fA-F]{6})?$/u,
    'expected a name of at most 50 letters, digits, blanks and ._- with a colour such as :#c2410c after it, or none',
  )
  .transform(text => {
    const [name = '', colour = null] = text.split(':');
    return { name, colour };
  });

/** The secrets that verify tokens; the first one signs. */
export const tokenSecrets = z
  .string()
  // An empty part is a mistake, such as a variable that is not set: it must not make a list of one.
  .transform(text => text.split(',').map(part => part.trim()))
  .refine(
    secrets => secrets.every(secret => Buffer.byteLength(secret) >= minSecretBytes),
    `expected at least ${minSecretBytes} bytes, in each secret of a comma-separated list`,
  )
  .refine(secrets => new Set(secrets).size === secrets.length, 'expected each secret once');

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}
