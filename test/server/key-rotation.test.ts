import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { mintToken } from '../../src/auth/token.js';
import { createVerifier } from '../../src/auth/verifier.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { readConfig } from '../../src/config.js';
import { FeatureService } from '../../src/features/service.js';
import { startServer } from '../../src/server/index.js';
import { createLogger } from '../../src/server/logger.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { evaluateAll, openStream, streamOf } from '../support/ofrep/client.js';
import { openPGlite } from '../support/pglite.js';
import { until } from '../support/wait.js';
import { startTestServer, userId } from './harness.js';

let provider: JwksServer;
beforeAll(async () => {
  provider = await startJwksServer();
});
afterEach(() => provider.answer(null));
afterAll(() => provider.close());

const tick = 'subscription { tick }';

/** A server that reads the keys again after so many milliseconds. */
function start(maxAge: number) {
  return startTestServer({ verifier: createVerifier({ keys: { kind: 'jwks', url: provider.url, maxAge } }) });
}

const sign = (alg: 'ES256' | 'RS256') =>
  provider.sign({ sub: userId, exp: Math.floor(Date.now() / 1_000) + 3_600 }, { alg });

it('a key that leaves the key set ends the sockets and streams of its tokens, without any request', async () => {
  await using server = await start(100);
  const leaving = wsClient(server.url, { token: await sign('ES256') });
  await leaving.subscribe(tick).next();
  const stream = await sseClient(server.url, tick, { token: await sign('ES256') });
  await stream.next();
  await using staying = wsClient(server.url, { token: await sign('RS256') });
  const ticks = staying.subscribe(tick);
  await ticks.next();
  await using visitor = wsClient(server.url);
  const visits = visitor.subscribe(tick);
  await visits.next();

  provider.answer({ status: 503, body: '' });
  const { requests } = provider;
  await until(() => provider.requests > requests, 'the set is asked for while the provider is away');
  expect(server.ticker.listeners).toBe(4);

  provider.withdraw('ES256');
  expect(await leaving.closed).toEqual({ code: 4403, reason: 'The key that signed the token counts no longer.' });
  await stream.ended;
  await until(() => server.ticker.listeners === 2, 'their subscriptions are let go of');
  server.ticker.tick();
  expect(await ticks.next()).toMatchObject({ data: { tick: 1 } });
  expect(await visits.next()).toMatchObject({ data: { tick: 1 } });
});

it('a key that leaves the key set ends the streams of OFREP of its tokens, and their tickets open nothing', async () => {
  const flags = await FeatureService.open({ backend: new MemoryBackend() });
  const ofrep = { flags, allowAnonymous: true, ticketSecret: Buffer.alloc(32, 1), publicUrl: null };
  const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url, maxAge: 100 } });
  await using server = await startTestServer({ verifier, ofrep });
  const address = streamOf(await evaluateAll(server.url, {}, { token: await sign('RS256') }));
  const stream = await openStream(address);
  await stream.next();
  provider.withdraw('RS256');
  await stream.ended;
  expect((await openStream(address)).status).toBe(401);
  expect((await evaluateAll(server.url, {}, { token: await sign('RS256') })).status).toBe(401);
  expect(flags.status.subscribers).toBe(0);
  await flags.close();
});

it('a ticket of OFREP opens nothing once the key of its token is known to have left', async () => {
  const flags = await FeatureService.open({ backend: new MemoryBackend() });
  const ofrep = { flags, allowAnonymous: true, ticketSecret: Buffer.alloc(32, 1), publicUrl: null };
  const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url, maxAge: 100 } });
  await using server = await startTestServer({ verifier, ofrep });
  const address = streamOf(await evaluateAll(server.url, {}, { token: await sign('ES256') }));
  provider.withdraw('ES256');
  const refused = async () => (await evaluateAll(server.url, {}, { token: await sign('ES256') })).status === 401;
  await until(refused, 'the set was read, before any stream is open');
  await (await openStream(address)).ended;
  expect((await openStream(address)).status).toBe(401);
  expect(flags.status.subscribers).toBe(0);
  await flags.close();
});

it('the provider is not asked for its keys while no socket has a token of it', async () => {
  await using server = await start(50);
  const client = wsClient(server.url, { token: await sign('ES256') });
  await client.subscribe(tick).next();
  await client.close();
  await until(() => server.load.sockets === 0, 'the socket has gone');
  const { requests } = provider;
  await new Promise(resolve => setTimeout(resolve, 300));
  expect(provider.requests - requests).toBeLessThan(2);
});

it('a secret that leaves the file of the data directory ends the sockets of its tokens, and the next one counts at once', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'halyard-rotation-'));
  const config = readConfig({ FEATURE_BACKEND: 'memory', PORT: '0', LOG_LEVEL: 'silent', HALYARD_DATA_DIR: dataDir });
  const path = join(dataDir, 'token-secret');
  const secretOf = async () => new TextEncoder().encode((await readFile(path, 'utf8')).trim().split('\n')[0]);
  const request = { role: 'USER', userId, expiresInSeconds: 3_600 } as const;
  const { log, close } = createLogger({ level: 'silent', pretty: false });
  const server = await startServer(config, { log, database: await openPGlite() });
  try {
    const old = await mintToken(await secretOf(), request);
    await using socket = wsClient(server.url, { token: old });
    await socket.subscribe('subscription { viewerFeatures { revision } }').next();
    const replacement = (secrets: string) =>
      writeFile(`${path}.new`, secrets, { mode: 0o600 }).then(() => rename(`${path}.new`, path));
    const before = (await readFile(path, 'utf8')).trim();
    await replacement(`${'n'.repeat(43)}\n${before}\n`);
    const fresh = await mintToken(await secretOf(), request);
    const ask = async (token: string) =>
      JSON.stringify(await httpClient(server.url, token).query('{ viewer { userId } }'));
    await until(async () => (await ask(fresh)).includes(userId), 'the new secret counts');
    expect(await ask(old)).toContain(userId);
    await replacement(`${'n'.repeat(43)}\n`);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'The key that signed the token counts no longer.' });
    expect(await ask(old)).toContain('UNAUTHENTICATED');
    expect(await ask(fresh)).toContain(userId);
  } finally {
    await server.close();
    await close();
    await rm(dataDir, { recursive: true });
  }
  // The first embedded database of a process takes seconds.
}, 120_000);
