import { spawn } from 'node:child_process';
import { codeLife, makeCode } from '../auth/sign-in-codes.js';
import type { Config } from '../config.js';
import { tokenKeysOf } from '../server/from-config.js';
import { hostInUrl } from '../server/http/address.js';
import { consolePath } from '../server/protocols/console/routes.js';
import { CommandError, UsageError } from './failure.js';
import { authorOf, parseDuration } from './token.js';

export interface ConsoleOptions {
  readonly user?: string;
  /** Such as `12h`. */
  readonly expires: string;
  readonly url?: string;
  readonly open?: true;
}

/** The longest life of a session, in seconds. */
const longestSession = 30 * 86_400;

/**
 * Makes an address that signs its first visitor in to the console as an admin.
 * @throws UsageError if the options are wrong.
 * @throws CommandError if there is no console, or tokens come from an identity provider.
 */
export async function consoleAddress(config: Config, options: ConsoleOptions): Promise<string> {
  const userId = authorOf(options.user);
  const expiresInSeconds = parseDuration(options.expires, longestSession);
  const address = options.url === undefined ? addressOf(config) : checkedUrl(options.url);
  if (!config.console) {
    throw new CommandError(
      'HALYARD_CONSOLE is "false", so the console is not served: unset it, and start the server again.',
    );
  }
  const keys = await tokenKeysOf(config);
  const [secret] = keys.kind === 'secret' ? keys.secrets : [];
  if (secret === undefined) {
    throw new CommandError(
      `AUTH_JWKS_URL is set, so only the identity provider can issue tokens: open ${address}${consolePath}/ and sign in with a token of a reader or an admin, or with an API key.`,
    );
  }
  return `${address}${consolePath}/#code=${await makeCode(secret, { userId, expiresInSeconds })}`;
}

/** What is said beside the address. */
export const addressHint = `Open this address within ${codeLife} seconds. It signs in once, as an admin.`;

function addressOf({ publicUrl, host, port, pathPrefix = '' }: Config): string {
  if (publicUrl !== undefined) return publicUrl;
  if (port !== 0) return `http://${hostInUrl(host)}:${port}${pathPrefix}`;
  throw new UsageError('PORT is 0, so the port of the server is not known: give the address of the server with --url.');
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const extra = url === null ? '' : url.username + url.password + url.search + url.hash;
  if (url === null || !/^https?:$/.test(url.protocol) || extra !== '') {
    throw new UsageError(`--url is "${text}", expected the address of the server, such as http://127.0.0.1:4000.`);
  }
  return url.href.replace(/\/+$/, '').replace(/\/(console|graphql)$/, '');
}

/** The program that opens an address in the browser of the user, and its arguments before the address. */
const openers: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Milliseconds after which a browser counts as started. Some openers end with their browser. */
const startTime = 2_000;

/** Opens an address in a browser. False: there is none that could be started. */
export function openInBrowser(address: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const [program, ...args] = openers[process.platform] ?? ['xdg-open'];
  return new Promise(resolve => {
    const child = spawn(program, [...args, address], { env, stdio: 'ignore', detached: true });
    child.on('error', () => resolve(false)).on('exit', code => resolve(code === 0));
    setTimeout(() => resolve(true), startTime).unref();
    child.unref();
  });
}
