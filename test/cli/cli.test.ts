import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createVerifier } from '../../src/auth/verifier.js';
import { run as runCommand } from '../../src/cli/run.js';
import { settings } from '../../src/config/settings.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/wait.js';

const main = await compiled('src/cli/main.ts');
const userId = '5b0ed6f2-6f0c-4b9a-9b50-0a4f4c7f9d11';
const secret = '0123456789abcdef0123456789abcdef';

let directory: string;
let running: ChildProcess[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'halyard-cli-'));
  running = [];
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly output: { out: string; err: string };
  readonly ended: Promise<number | null>;
}

/** The command line in a process and a directory of its own, without any setting but these. */
function start(args: readonly string[], env: Record<string, string> = {}, cwd = directory): Run {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const output = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', text => {
    output.out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', text => {
    output.err += text;
  });
  return { child, output, ended: new Promise(resolve => child.on('close', resolve)) };
}

async function runProcess(args: readonly string[], env?: Record<string, string>) {
  const { output, ended } = start(args, env);
  return { code: await ended, ...output };
}

/** The same without a process of its own, which takes a second to start. */
async function run(args: readonly string[], env: Record<string, string> = {}) {
  const text = { out: '', err: '' };
  const terminal = {
    output: { write: (part: string) => (text.out += part) },
    errors: { write: (part: string) => (text.err += part) },
  };
  const dataDir = env['HALYARD_DATA_DIR'] ?? join(directory, '.halyard');
  const code = await runCommand(args, terminal, { PORT: '0', ...env, HALYARD_DATA_DIR: dataDir });
  return { code, ...text };
}

/** A server that is up, and its address. */
async function startServing(env: Record<string, string>, cwd: string): Promise<Run & { readonly url: string }> {
  const server = start(['serve'], env, cwd);
  await until(() => server.output.out.includes('Try it') || server.output.err !== '', 'the server is up', 60_000);
  const url = /Halyard is up at (\S+)/.exec(server.output.out)?.[1];
  if (url === undefined) throw new Error(`The server did not start: ${server.output.err}${server.output.out}`);
  return { ...server, url };
}

describe('halyard', () => {
  it.each([
    [['--help'], ['serve', 'token', 'migrate']],
    [
      ['token', '--help'],
      ['--user', '--service', '--reader', '--admin', '--expires', '--attributes', 'AUTH_JWT_SECRET'],
    ],
    [
      ['migrate', '--help'],
      ['DATABASE_URL', 'HALYARD_DATA_DIR'],
    ],
    [['serve', '--help'], settings.map(({ name }) => name)],
  ])('helps: %s', async (args, words) => {
    const { code, out, err } = await run(args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const word of words) expect(out).toContain(word);
  });

  it.each([
    [[], /Usage: halyard/],
    [['fly'], /unknown command 'fly'/],
    [['serve', '--fast'], /unknown option '--fast'/],
    [['token'], /^The holder of the token is missing: give --user <id>, --service, --reader or --admin\.\n$/],
    [['token', '--admin', '--service'], /one of --service, --reader and --admin/],
    [['token', '--reader', '--admin'], /^--reader and --admin are both given/],
    [['token', '--user', ' alice'], /^--user is " alice"\. Expected no blanks at the beginning and at the end\.\n$/],
    [['token', '--user', ''], /^--user is ""\. Expected 1 to 255 characters, found an empty text\.\n$/],
    [['token', '--user', 'x'.repeat(256)], /^--user is "x+…x+"\. Expected 1 to 255 characters, found more\.\n$/],
    [['token', '--admin', '--user', 'a\nb'], /^--user is "a\\nb"\. Expected .* found U\+000A\.\n$/],
    [['token', '--admin', '--expires', '1y'], /^--expires is "1y", expected a time such as 30s, 15m, 1h or 7d/],
    [['token', '--admin', '--expires', '0s'], /--expires/],
    [['token', '--admin', '--expires', '9999999d'], /--expires/],
    [['token', '--admin', '--attributes', '{'], /--attributes is not JSON/],
    [['token', '--admin', '--attributes', '[]'], /^--attributes: Expected an object/],
    [
      ['token', '--admin', '--attributes', '{"account":9007199254740993}'],
      /^--attributes\.account: .* Write it as text/,
    ],
  ])('says what is wrong with %s and ends with 2', async (args, message) => {
    const { code, out, err } = await run(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    [['serve'], { PORT: 'http' }, /^PORT is "http", expected a whole number from 0 to 65535\.\n$/],
    [
      ['token', '--admin'],
      { AUTH_JWT_SECRET: 'short' },
      /^AUTH_JWT_SECRET is not valid: expected at least 32 bytes, in each secret of a comma-separated list\.\n$/,
    ],
    [['serve'], { NODE_ENV: 'production' }, /^With NODE_ENV=production .*AUTH_JWT_SECRET.*AUTH_JWKS_URL/],
    [
      ['token', '--admin'],
      { AUTH_JWKS_URL: 'https://id.example/jwks' },
      /^AUTH_JWKS_URL is set, so only the identity provider can issue tokens: .*\.\n$/,
    ],
    [['migrate'], { FEATURE_BACKEND: 'memory' }, /^With FEATURE_BACKEND=memory there is no database/],
    [
      ['migrate'],
      { DATABASE_URL: 'postgresql://u:hunter2@127.0.0.1:1/d' },
      /^The database cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1\.\n$/,
    ],
  ])('fails clearly: %s with %o', async (args, env, message) => {
    const { code, out, err } = await run(args, env);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(`${out}${err}`).not.toMatch(/hunter2|\n\s+at /);
  });
});

it('ends a process with the code and on the streams that it should', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  const [right, failed, wrong] = await Promise.all([
    runProcess(['--version']),
    runProcess(['serve'], { PORT: 'http' }),
    runProcess(['token']),
  ]);
  expect(right).toEqual({ code: 0, out: `${version}\n`, err: '' });
  expect(failed).toEqual({ code: 1, out: '', err: 'PORT is "http", expected a whole number from 0 to 65535.\n' });
  expect(wrong).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--user') });
});

describe('halyard token', () => {
  const payloadOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

  it.each([
    // So that the change log shows who made a change.
    [['--admin'], { role: 'ADMIN', userId: `cli:${userInfo().username}` }],
    [['--service'], { role: 'SERVICE', userId: null }],
    [['--user', userId], { role: 'USER', userId }],
    [['--user', userId.toUpperCase()], { role: 'USER', userId }],
    [['--user', 'auth0|5f7c1'], { role: 'USER', userId: 'auth0|5f7c1' }],
    [['--user', '1042', '--service'], { role: 'SERVICE', userId: '1042' }],
    [['--user', userId, '--admin'], { role: 'ADMIN', userId }],
    [['--user', userId, '--attributes', '{"plan":"pro"}'], { role: 'USER', userId, attributes: { plan: 'pro' } }],
  ])('prints the token alone: %s', async (args, caller) => {
    const { code, out, err } = await run(['token', ...args], { AUTH_JWT_SECRET: secret });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [new TextEncoder().encode(secret)] } });
    expect(await verifier.verify({ token: out.trim() })).toMatchObject(caller);
    expect(await readdir(directory)).toEqual([]);
  });

  it('takes the names of claims, the issuer, the audience and the lifetime from where the server does', async () => {
    const { out } = await run(['token', '--user', userId, '--admin', '--expires', '90s'], {
      AUTH_JWT_SECRET: secret,
      AUTH_USER_CLAIM: 'uid',
      AUTH_ROLE_CLAIM: 'https://example.com/role',
      AUTH_ISSUER: 'us',
      AUTH_AUDIENCE: 'halyard',
    });
    const payload = payloadOf(out);
    expect(payload).toMatchObject({ uid: userId, 'https://example.com/role': 'admin', iss: 'us', aud: 'halyard' });
    expect(payload.exp - payload.iat).toBe(90);
  });

  it('is signed with the first of several secrets', async () => {
    const first = secret.toUpperCase();
    const { out } = await run(['token', '--admin'], { AUTH_JWT_SECRET: `${first},${secret}` });
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [new TextEncoder().encode(first)] } });
    expect(await verifier.verify({ token: out.trim() })).toMatchObject({ role: 'ADMIN' });
  });

  it('makes the local secret where there is none, and lasts an hour', async () => {
    const { out } = await run(['token', '--admin']);
    expect(await readdir(join(directory, '.halyard'))).toEqual(['token-secret']);
    const payload = payloadOf(out);
    expect(payload.exp - payload.iat).toBe(3_600);
  });
});

describe('with a database in its directory, halyard', () => {
  // Made once, as a first start takes seconds; each test leaves it closed for the next.
  let home: string;
  let made: Awaited<ReturnType<typeof run>>;
  let dataDir: { HALYARD_DATA_DIR: string };
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'halyard-cli-home-'));
    dataDir = { HALYARD_DATA_DIR: join(home, '.halyard') };
    made = await run(['migrate'], dataDir);
  }, 120_000);
  afterAll(() => rm(home, { recursive: true, force: true }));

  it('migrate creates the database, and then has nothing to do', async () => {
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toMatch(/^Applied \d{14}_init\.\n/);
    expect(await run(['migrate'], dataDir)).toEqual({ code: 0, out: 'The database is up to date.\n', err: '' });
  });

  it('serve says that its port, that of the metrics, or its address is not to be had', async () => {
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const listeners = [process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')];
    const taken = String((other.address() as AddressInfo).port);
    const inUse = (setting: string) =>
      `Port ${taken} on 127.0.0.1 is in use: stop the program that listens there, or set ${setting} to another port (0 means any free port).\n`;
    const fails = async (env: Record<string, string>) => {
      const { code, err } = await run(['serve'], { ...dataDir, LOG_LEVEL: 'silent', ...env });
      expect(code).toBe(1);
      return err;
    };
    expect(await fails({ PORT: taken })).toBe(inUse('PORT'));
    expect(await fails({ METRICS: taken })).toBe(inUse('METRICS'));
    expect(await fails({ HOST: '192.0.2.1' })).toMatch(/^This machine has no address 192\.0\.2\.1/);
    await new Promise(resolve => other.close(resolve));
    // What did not start no longer listens for what would stop it.
    expect([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]).toEqual(listeners);
  });

  it('serve works as its banner says, lets nobody else in, and stops on SIGTERM within 5 s with exit 0', async () => {
    const server = await startServing({}, home);
    expect(server.output.out).toContain(`${server.url}/graphql\n`);
    expect(server.output.out).toContain(`${server.url}/metrics\n`);
    expect(server.output.out).toContain('npx halyard token --admin');
    const curl = /curl .*/.exec(server.output.out)?.[0] ?? '';
    const pasted = spawn('sh', ['-c', curl], { stdio: ['ignore', 'pipe', 'inherit'] });
    let answer = '';
    pasted.stdout.setEncoding('utf8').on('data', text => {
      answer += text;
    });
    await new Promise(resolve => pasted.on('close', resolve));
    expect(JSON.parse(answer)).toEqual({ data: { viewer: { featureMap: {} } } });
    const page = await fetch(`${server.url}/`, { headers: { accept: 'text/html' } });
    expect(page.url).toBe(`${server.url}/graphql`);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await (await fetch(`${server.url}/ready`)).json()).toMatchObject({ ready: true, revision: 0 });

    const token = (await run(['token', '--admin'], dataDir)).out.trim();
    const create = 'mutation { createFlag(input: { key: "kept", name: "Kept", enabled: true }) { __typename } }';
    const created = await httpClient(server.url, token).query(create);
    expect(created.body).toEqual({ data: { createFlag: { __typename: 'CreateFlagPayload' } } });
    const second = await run(['serve'], dataDir);
    expect(second.code).toBe(1);
    expect(second.err).toMatch(/^The directory .*\.halyard is in use by process \d+.*\n$/);

    const socket = wsClient(server.url);
    await socket.subscribe('subscription { viewerFeatures { revision } }').next();
    const stream = await sseClient(server.url, 'subscription { viewerFeatures { revision } }');
    await stream.next();
    const startedAt = Date.now();
    server.child.kill('SIGTERM');
    expect((await socket.closed).code).toBe(1001);
    await stream.ended;
    expect(stream.raw).not.toContain('event: complete');
    expect(await server.ended).toBe(0);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    expect(server.output.err).toBe('');
  });

  it('serve kept its data, warns about a typo, shows a curl that is allowed, and stops on SIGINT too', async () => {
    const server = await startServing({ FEATURE_ANONYMOUS: 'false', FEATURE_CACHE_TLL: '1' }, home);
    expect(server.output.out).toContain(
      'FEATURE_CACHE_TLL is not a setting and is ignored. Did you mean FEATURE_CACHE_TTL?',
    );
    expect(server.output.out).toMatch(/curl .*authorization: Bearer \$\(npx halyard token --admin\)/);
    const token = (await run(['token', '--admin'], dataDir)).out.trim();
    expect((await httpClient(server.url, token).query('{ isEnabled(key: "kept") }')).body).toEqual({
      data: { isEnabled: true },
    });
    server.child.kill('SIGINT');
    expect(await server.ended).toBe(0);
  });
});
