import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCode } from '../../src/auth/sign-in-codes.js';
import { run as runCommand } from '../../src/cli/run.js';
import { until } from '../support/wait.js';

const secret = '0123456789abcdef0123456789abcdef';
const secrets = [new TextEncoder().encode(secret)];

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'halyard-cli-console-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const text = { out: '', err: '' };
  const terminal = {
    output: { write: (part: string) => (text.out += part) },
    errors: { write: (part: string) => (text.err += part) },
  };
  const settings = { HALYARD_DATA_DIR: join(directory, '.halyard'), AUTH_JWT_SECRET: secret, ...env };
  const code = await runCommand(['console', ...args], terminal, settings);
  return { code, ...text };
}

const codeOf = (address: string) => address.trim().split('#code=')[1] ?? '';

describe('halyard console', () => {
  it('prints an address alone, with a code that the server takes', async () => {
    const { code, out, err } = await run([]);
    expect(code).toBe(0);
    expect(out).toMatch(/^http:\/\/127\.0\.0\.1:4000\/console\/#code=[\w.-]+\n$/);
    expect(err).toBe('Open this address within 60 seconds. It signs in once, as an admin.\n');
    expect(await readCode(secrets, codeOf(out))).toMatchObject({
      userId: `cli:${userInfo().username}`,
      expiresInSeconds: 12 * 3_600,
    });
  });

  it('names the author and the life of the session', async () => {
    const { out } = await run(['--user', 'kim@example.com', '--expires', '30m']);
    expect(await readCode(secrets, codeOf(out))).toMatchObject({ userId: 'kim@example.com', expiresInSeconds: 1_800 });
  });

  it.each([
    [{ HOST: '0.0.0.0', PORT: '81' }, [], 'http://localhost:81/console/'],
    [{ HOST: '::1', PATH_PREFIX: '/flags' }, [], 'http://[::1]:4000/flags/console/'],
    [{ PUBLIC_URL: 'https://example.com/flags', PORT: '0' }, [], 'https://example.com/flags/console/'],
    [{ PORT: '0' }, ['--url', 'http://127.0.0.1:4711/'], 'http://127.0.0.1:4711/console/'],
    [{ PORT: '0' }, ['--url', 'https://example.com/flags/graphql'], 'https://example.com/flags/console/'],
    [{ PORT: '0' }, ['--url', 'https://example.com/flags/console/'], 'https://example.com/flags/console/'],
  ])('finds the server with %o and %s', async (env, args, address) => {
    const { out } = await run(args, env);
    expect(out.split('#')[0]).toBe(address);
  });

  it.each([
    [['--expires', '31d'], {}, /^--expires is "31d", expected a time such as .*, at most 30d\.\n$/],
    [['--user', ''], {}, /^--user is ""\. Expected/],
    [['--url', 'ftp://a'], {}, /^--url is "ftp:\/\/a", expected the address of the server/],
    [['--url', 'http://a/?token=b'], {}, /^--url is/],
    [[], { PORT: '0' }, /^PORT is 0, .* give the address of the server with --url\.\n$/],
  ])('says what is wrong with %s and %o, and ends with 2', async (args, env, message) => {
    const { code, out, err } = await run(args, env);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  it.each([
    [
      { AUTH_JWT_SECRET: '', AUTH_JWKS_URL: 'https://id.example/jwks' },
      /^AUTH_JWKS_URL is set, so only .*: open http:\/\/127\.0\.0\.1:4000\/console\/ and sign in with a token .* or with an API key\.\n$/,
    ],
    [{ HALYARD_CONSOLE: 'false' }, /^HALYARD_CONSOLE is "false", so the console is not served/],
  ])('refuses with a way out: %o', async (env, message) => {
    const { code, out, err } = await run([], env);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
  });

  it('signs with the local secret where there is no other', async () => {
    const { out } = await run([], { AUTH_JWT_SECRET: '' });
    const local = (await readFile(join(directory, '.halyard/token-secret'), 'utf8')).trim();
    expect(await readCode([new TextEncoder().encode(local)], codeOf(out))).not.toBeNull();
  });

  it.runIf(process.platform === 'linux')('opens the address in a browser, or says that it cannot', async () => {
    const opened = join(directory, 'opened');
    const opener = join(directory, 'xdg-open');
    await writeFile(opener, `#!/bin/sh\necho "$1" > '${opened}'\n`);
    await chmod(opener, 0o755);
    const found = await run(['--open'], { PATH: `${directory}${delimiter}${process.env['PATH']}` });
    await until(async () => (await readFile(opened, 'utf8').catch(() => '')) === found.out, 'the opener was run');
    expect(found.err).toBe('Open this address within 60 seconds. It signs in once, as an admin.\n');
    const missing = await run(['--open'], { PATH: join(directory, 'nowhere') });
    expect(missing.code).toBe(0);
    expect(missing.err).toContain('No browser could be started: open the address yourself.\n');
  });
});
