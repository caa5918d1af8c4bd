import { createHmac } from 'node:crypto';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCode, readCode } from '../../src/auth/sign-in-codes.js';
import { createVerifier } from '../../src/auth/verifier.js';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { useCode } from '../../src/backends/sign-in-codes.js';
import { httpClient } from '../support/clients.js';
import { openPGlite } from '../support/pglite.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { startTestServer } from '../support/server.js';
import { startTestServer as startHarness, token } from './harness.js';

const text = '0123456789abcdef0123456789abcdef';
const secret = new TextEncoder().encode(text);
const other = new TextEncoder().encode('another secret of 32 bytes or more');
const signIn = { userId: 'kim@example.com', expiresInSeconds: 3_600 };

async function exchange(url: string, body: unknown, method = 'POST') {
  const headers = { 'content-type': 'application/json' };
  const sent = method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {};
  const response = await fetch(`${url}/console/session`, { method, headers, ...sent });
  const answer = (await response.json()) as {
    readonly token?: string;
    readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[];
  };
  return { status: response.status, headers: response.headers, token: answer.token, error: answer.errors?.[0] };
}

describe('a code', () => {
  it('says for whom and how long, to servers that have its secret among theirs', async () => {
    const code = await makeCode(secret, signIn);
    expect(await readCode([other, secret], code)).toEqual({ ...signIn, id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(await readCode([other], code)).toBeNull();
    expect(await readCode([], code)).toBeNull();
    const unnamed = await makeCode(secret, { ...signIn, userId: null });
    expect(await readCode([secret], unnamed)).toMatchObject({ userId: null });
  });

  it('lives for a minute, and some seconds more for clocks that differ', async () => {
    const code = await makeCode(secret, signIn);
    const inSeconds = (seconds: number) => readCode([secret], code, Date.now() + seconds * 1_000);
    expect(await inSeconds(58)).not.toBeNull();
    expect(await inSeconds(67)).toBeNull();
    // A clock that is behind does not make it live longer.
    expect(await inSeconds(-10)).toBeNull();
  });

  it('counts as it was made, or not at all', async () => {
    const code = await makeCode(secret, signIn);
    const [header, payload, signature] = code.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, life: 1e9 })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const forged = [`${header}.${changed}.${signature}`, `${none}.${payload}.`, `${header}.${payload}`, '', 'a.b.c'];
    for (const one of forged) expect(await readCode([secret], one)).toBeNull();
  });

  it('is no token, and no token is a code, whatever claims they have', async () => {
    const keys = { kind: 'secret', secrets: [secret] } as const;
    const verifier = createVerifier({ keys });
    await expect(verifier.verify({ token: await makeCode(secret, signIn) })).rejects.toThrow('signature');
    const sign = (key: Uint8Array, claims: Record<string, unknown>) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .setJti('7b0ed6f2-6f0c-4b9a-9b50-0a4f4c7f9d11')
        .setIssuedAt()
        .setExpirationTime('60s')
        .sign(key);
    expect(await readCode([secret], await token({ role: 'ADMIN' }))).toBeNull();
    expect(await readCode([secret], await sign(secret, { role: 'admin', life: 60 }))).toBeNull();
    // With the derived key a token could be made; but nobody has that key who has not the secret.
    const derived = createHmac('sha256', secret).update('halyard sign-in code').digest();
    await expect(verifier.verify({ token: await sign(derived, { role: 'admin' }) })).rejects.toThrow('signature');
  });
});

describe('the use of a code', () => {
  let database: TestDatabase;
  let nodes: readonly DatabaseBackend[];
  beforeAll(async () => {
    database = await createDatabase();
    nodes = await Promise.all([openDatabase({ url: database.url }), openDatabase({ url: database.url })]);
  });
  afterAll(async () => {
    await Promise.all((nodes ?? []).map(node => node.close()));
    await database?.drop();
  });

  it('counts on one of two nodes, also if both are asked at the same time', async () => {
    for (let round = 0; round < 20; round += 1) {
      const id = crypto.randomUUID();
      const uses = await Promise.all(nodes.flatMap(({ prisma }) => [useCode(prisma, id), useCode(prisma, id)]));
      expect(uses.filter(isFirst => isFirst)).toHaveLength(1);
    }
  });

  it('is forgotten after a day', async () => {
    const [node] = nodes as [DatabaseBackend];
    await database.query(`UPDATE sign_in_codes SET used_at = now() - interval '23 hours'`);
    await useCode(node.prisma, crypto.randomUUID());
    expect((await database.query('SELECT FROM sign_in_codes')).rowCount).toBeGreaterThan(1);
    await database.query(`UPDATE sign_in_codes SET used_at = now() - interval '25 hours'`);
    await useCode(node.prisma, crypto.randomUUID());
    expect((await database.query('SELECT FROM sign_in_codes')).rowCount).toBe(1);
  });

  it('signs in on one server of two, as an admin whose changes have an author', async () => {
    const env = {
      AUTH_JWT_SECRET: text,
      AUTH_ISSUER: 'us',
      AUTH_AUDIENCE: 'halyard',
      AUTH_ROLE_CLAIM: 'https://us/role',
    };
    const open = () => openDatabase({ url: database.url });
    await using one = await startTestServer(env, { database: await open() });
    await using two = await startTestServer(env, { database: await open() });
    const code = await makeCode(secret, signIn);
    const first = await exchange(one.url, { code });
    expect(first.status).toBe(200);
    expect(first.headers.get('cache-control')).toBe('no-store');
    expect(first.headers.get('access-control-allow-origin')).toBeNull();
    for (const { url } of [one, two]) {
      const { status, error } = await exchange(url, { code });
      expect(status).toBe(401);
      expect(error).toEqual({
        message: 'The code was used before: each counts once. Run "halyard console" again.',
        extensions: { code: 'UNAUTHENTICATED' },
      });
      const { body } = await httpClient(url, first.token).query('{ viewer { role userId } }');
      expect(body).toEqual({ data: { viewer: { role: 'ADMIN', userId: 'kim@example.com' } } });
    }
    const payload = JSON.parse(Buffer.from(first.token?.split('.')[1] ?? '', 'base64url').toString());
    expect(payload.exp - payload.iat).toBe(3_600);
  });

  it('is impossible while the database is read-only, which is said', async () => {
    await using server = await startTestServer(
      { AUTH_JWT_SECRET: text },
      { database: await openDatabase({ url: `${database.url}&options=-c%20default_transaction_read_only%3Don` }) },
    );
    const { status, error } = await exchange(server.url, { code: await makeCode(secret, signIn) });
    expect([status, error?.extensions.code]).toEqual([503, 'UNAVAILABLE']);
    expect(error?.message).toMatch(/read-only/);
  });
});

describe('POST /console/session', () => {
  it('says what is wrong with what it gets', async () => {
    await using server = await startTestServer({ AUTH_JWT_SECRET: text });
    for (const body of [
      '',
      '{',
      '[]',
      '{}',
      '{"code":1}',
      '{"code":""}',
      '{"code":"a","as":"admin"}',
      `{"code":"${'a'.repeat(2_001)}"}`,
    ]) {
      const { status, error } = await exchange(server.url, body);
      expect([body.slice(0, 40), status, error?.message]).toEqual([
        body.slice(0, 40),
        400,
        'The body is not of the form {"code": "<code>"}.',
      ]);
    }
    const stale = await exchange(server.url, { code: await makeCode(other, signIn) });
    expect(stale).toMatchObject({
      status: 401,
      error: { message: 'The code is not valid, or older than 60 seconds. Run "halyard console" again.' },
    });
    const asked = await exchange(server.url, null, 'GET');
    expect([asked.status, asked.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    const form = await fetch(`${server.url}/console/session`, { method: 'POST', body: 'code=a' });
    expect(form.status).toBe(415);
  });

  it('takes 20 codes of an address in a minute', async () => {
    await using server = await startTestServer({ AUTH_JWT_SECRET: text, TRUST_PROXY: 'true' });
    const from = (address: string) =>
      fetch(`${server.url}/console/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
        body: '{"code":"a"}',
      });
    for (let i = 0; i < 20; i += 1) expect((await from('192.0.2.1')).status).toBe(401);
    const refused = await from('192.0.2.1');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60']);
    expect((await from('192.0.2.2')).status).toBe(401);
  });

  it('refuses codes where only an identity provider signs tokens', async () => {
    const keys = { kind: 'jwks', url: new URL('http://127.0.0.1:1/jwks') } as const;
    const console = { files: null, keys, claims: {}, useCode: async () => true };
    await using server = await startHarness({ console });
    expect(await exchange(server.url, { code: await makeCode(secret, signIn) })).toMatchObject({
      status: 403,
      error: { message: expect.stringMatching(/^Only the identity provider signs tokens here: sign in with/) },
    });
  });

  it('follows secrets that change', async () => {
    const keys = { kind: 'secret', secrets: [secret], reread: async () => [other] } as const;
    await using server = await startHarness({ console: { files: null, keys, claims: {}, useCode: async () => true } });
    expect((await exchange(server.url, { code: await makeCode(secret, signIn) })).status).toBe(401);
    const { token = '' } = await exchange(server.url, { code: await makeCode(other, signIn) });
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [other] } });
    expect(await verifier.verify({ token })).toMatchObject({ role: 'ADMIN', userId: 'kim@example.com' });
  });

  it('logs no code and no token, and says when a code comes again', async () => {
    let log = '';
    const write = (line: string) => {
      log += line;
    };
    const env = { AUTH_JWT_SECRET: text, LOG_LEVEL: 'trace' };
    const server = await startTestServer(env, {
      log: pino({ level: 'trace' }, { write }),
      database: await openPGlite(),
    });
    const code = await makeCode(secret, signIn);
    const { token = '' } = await exchange(server.url, { code });
    await exchange(server.url, { code });
    await exchange(server.url, { code: `${code}a` });
    await exchange(server.url, `{"code":"${code}`);
    await server.close();
    expect(log).toContain('An admin signed in to the console with a code.');
    expect(log).toContain('A code for the console was sent a second time');
    for (const part of [...code.split('.').slice(1), ...token.split('.').slice(1)]) expect(log).not.toContain(part);
  });
});
