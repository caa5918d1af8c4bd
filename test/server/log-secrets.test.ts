import { pino } from 'pino';
import { expect, it } from 'vitest';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { evaluateAll, openStream, streamOf } from '../support/ofrep/client.js';
import { startTestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const watch = 'subscription { viewerFeatures { revision } }';

it('log lines never have the ticket of a stream, whatever becomes of it', async () => {
  let text = '';
  const write = (line: string) => {
    text += line;
  };
  const log = pino({ level: 'trace' }, { write });
  const server = await startTestServer({ LOG_LEVEL: 'trace' }, { log, limits: { connectionsPerAddress: 1 } });
  const token = (await server.token('service')) as string;
  const context = { targetingKey: 'ann', plan: 'canary' };
  const address = streamOf(await evaluateAll(server.url, context, { token }));
  const ticket = new URL(address).searchParams.get('ticket') as string;
  const stream = await openStream(address);
  expect(stream.status).toBe(200);
  expect((await openStream(address)).status).toBe(429);
  expect((await openStream(address.slice(0, -1))).status).toBe(401);
  await fetch(address, { method: 'POST' });
  await fetch(`${server.url}/graphql?query={isEnabled(key:"a")}&ticket=${ticket}`);
  await fetch(`${server.url}/ofrep/${ticket}`);
  await server.close();
  await stream.ended;
  expect(text).toContain('A connection is refused');
  for (const secret of [ticket.slice(0, -1), token, 'canary']) expect(text).not.toContain(secret);
});

it('log lines of requests carry an id and an address, and never a token', async () => {
  let text = '';
  const write = (line: string) => {
    text += line;
  };
  const log = pino({ level: 'trace' }, { write });
  const server = await startTestServer({ LOG_LEVEL: 'trace', TRUST_PROXY: 'true' }, { log });
  const { url } = server;
  const mint = async (...request: Parameters<typeof server.token>) => (await server.token(...request)) as string;
  const accepted: Record<string, string> = {
    user: await mint('user', { attributes: { plan: 'canary' } }),
    admin: await mint('admin'),
    service: await mint('service'),
  };
  const tokens: Record<string, string> = {
    ...accepted,
    expired: await mint('user', { expiresInSeconds: -60 }),
    forged: `${(await mint('admin')).slice(0, -4)}abcd`,
    nonsense: 'hunter2-hunter2-hunter2',
    other: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.',
  };

  for (const [name, token] of Object.entries(tokens)) {
    const client = httpClient(url, token);
    await client.query('{ viewer { featureMap } }');
    await client.query('mutation { createFlag(input: { key: "", name: "" }) { __typename } }');
    await client.query('{ nothing }');
    await client.query('{');
    await client.query('query ($key: String!) { isEnabled(key: $key) }', { key: 1 });
    await fetch(`${url}/graphql?query={isEnabled(key:"a")}`, { headers: { authorization: `Bearer ${token}` } });
    // Where a token does not belong, and where one may end up all the same.
    await fetch(`${url}/graphql?query={isEnabled(key:"a")}&token=${token}&access_token=${token}`);
    await fetch(`${url}/graphql`, { headers: { authorization: token, cookie: `token=${token}` } });
    await fetch(`${url}/nothing`, { method: 'POST', headers: { authorization: `Basic ${token}` }, body: token });
    await client.query('{ isEnabled(key: "a") }', undefined, { 'x-forwarded-for': token });

    await using stream = await sseClient(url, watch, { token });
    await stream.next();
    const socket = wsClient(url, { token });
    if (!(name in accepted)) {
      expect((await socket.closed).code, name).toBe(4403);
      continue;
    }
    await socket.subscribe(watch).next();
    await socket.query('{ viewer { role } }');
    await socket.close();
  }
  // Within the tolerance for clocks this token ends in one to two seconds, while it is in use.
  const ending = await mint('user', { expiresInSeconds: -3 });
  const socket = wsClient(url, { token: ending });
  await socket.subscribe(watch).next();
  const stream = await sseClient(url, watch, { token: ending });
  expect((await socket.closed).code).toBe(4403);
  await stream.ended;

  await until(() => text.split('"operation":"subscription"').length > 8, 'the subscriptions have ended');
  await server.close();

  for (const [name, token] of Object.entries({ ...tokens, ending })) {
    expect(text, name).not.toContain(token);
    // The signature alone would do to forge the rest; the payload says who somebody is.
    for (const part of token.split('.').slice(1)) if (part.length > 8) expect(text, name).not.toContain(part);
  }

  const lines = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);
  const operations = lines.filter(({ msg }) => String(msg).startsWith('An operation was '));
  expect(operations.length).toBeGreaterThan(30);
  for (const line of operations) {
    expect(line).toMatchObject({ requestId: expect.stringMatching(/^[0-9a-f-]{36}(\/\d+)?$/), address: '127.0.0.1' });
  }
  expect(new Set(operations.map(({ requestId }) => requestId)).size).toBe(operations.length);
});
