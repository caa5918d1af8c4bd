import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { UnavailableError } from '../../src/core/errors.js';
import { controlled } from '../support/controlled-backend.js';
import {
  evaluateAll,
  evaluateOne,
  evaluatePath,
  type OfrepAnswer,
  openStream,
  send,
  streamOf,
} from '../support/ofrep/client.js';
import { notClosing, openPGlite } from '../support/pglite.js';
import { ann, bob, startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const device = 'device-12345';

let server: TestServer;
let database: DatabaseBackend;
let url: string;
let tokens: Record<'user' | 'service' | 'reader' | 'admin', string>;

beforeAll(async () => {
  database = await openPGlite();
  server = await startTestServer({}, { database });
  url = server.url;
  tokens = {
    user: (await server.token('user')) as string,
    service: (await server.token('service')) as string,
    reader: (await server.token('reader')) as string,
    admin: (await server.token('admin')) as string,
  };
  const { management } = server.service;
  const weights = [
    { key: 'a', value: 'A', weight: 1 },
    { key: 'b', value: 'B', weight: 1 },
  ];
  const number = (values: readonly number[]) =>
    values.map((value, n) => ({ key: `v${n}`, value, weight: n === 0 ? 1 : 0 }));
  const flags = [
    { key: 'on', enabled: true },
    { key: 'killed', enabled: false },
    { key: 'half', enabled: true, percentage: 50 },
    { key: 'most', enabled: true, percentage: 99 },
    { key: 'nobody', enabled: true, percentage: 0 },
    { key: 'pro', enabled: true, conditions: { attributes: { plan: 'pro' } } },
    {
      key: 'ruled',
      enabled: true,
      rules: [{ id: 'staff', when: { attributes: { plan: 'pro' } }, percentage: 100, on: true, serve: [] }],
      percentage: 0,
    },
    { key: 'overridden', enabled: false },
    { key: 'text', type: 'STRING', enabled: true, offVariant: 'a', variants: weights },
    { key: 'whole', type: 'NUMBER', enabled: true, offVariant: 'v0', variants: number([1, 2]) },
    { key: 'fraction', type: 'NUMBER', enabled: true, offVariant: 'v0', variants: number([1, 2.5]) },
    { key: 'huge', type: 'NUMBER', enabled: true, offVariant: 'v0', variants: number([1e15, 0.5]) },
    {
      key: 'object',
      type: 'OBJECT',
      enabled: true,
      offVariant: 'x',
      variants: [{ key: 'x', value: { a: [1] }, weight: 1 }],
    },
    { key: 'list', type: 'OBJECT', enabled: true, offVariant: 'x', variants: [{ key: 'x', value: ['ü'], weight: 1 }] },
  ];
  for (const flag of flags) await management.createFlag({ name: flag.key, ...flag } as never);
  await management.setOverride({ userId: ann, flagKey: 'overridden', enabled: true, reason: null, expiresAt: null });
});
afterAll(() => server.close());

const flagsOf = ({ body }: OfrepAnswer): Record<string, unknown> =>
  Object.fromEntries(body.flags.map((flag: { key: string; value: unknown }) => [flag.key, flag.value]));

describe('an answer', () => {
  it.each([
    ['on', {}, true, 'on', 'STATIC', 'ENABLED'],
    ['most', {}, true, 'on', 'SPLIT', 'ROLLOUT'],
    ['nobody', {}, false, 'off', 'SPLIT', 'OUTSIDE_ROLLOUT'],
    ['pro', { plan: 'pro' }, true, 'on', 'TARGETING_MATCH', 'CONDITIONS_MET'],
    ['pro', { plan: 'free' }, false, 'off', 'UNKNOWN', 'CONDITIONS_NOT_MET'],
    ['ruled', { plan: 'pro' }, true, 'on', 'TARGETING_MATCH', 'RULE'],
    ['overridden', {}, true, 'on', 'TARGETING_MATCH', 'OVERRIDE'],
    ['text', {}, 'A', 'a', 'SPLIT', 'SPLIT'],
    // A kill switch kills: DISABLED would tell providers to use the default of the code.
    ['killed', {}, false, 'off', 'STATIC', 'DISABLED'],
  ])(
    'of %s with %j has the value, the variant and the reason',
    async (key, attributes, value, variant, reason, why) => {
      const { status, body } = await evaluateOne(
        url,
        key,
        { targetingKey: ann, ...attributes },
        { token: tokens.service },
      );
      expect(status).toBe(200);
      expect(body).toEqual({ key, value, variant, reason, metadata: { halyardReason: why } });
      const all = await evaluateAll(url, { targetingKey: ann, ...attributes }, { token: tokens.service });
      expect(all.body.flags.find((flag: { key: string }) => flag.key === key)).toEqual(body);
    },
  );

  it('without a user says so where a percentage needs one', async () => {
    const { body } = await evaluateOne(url, 'half', {}, { token: tokens.service });
    expect(body).toMatchObject({ value: false, reason: 'UNKNOWN', metadata: { halyardReason: 'USER_REQUIRED' } });
  });

  it('writes a fraction for each number of a flag that has any, and integers for all others', async () => {
    const texts = ['whole', 'fraction', 'huge'].map(async key => (await evaluateOne(url, key)).text);
    expect((await Promise.all(texts)).map(text => /"value":([^,]+)/.exec(text)?.[1])).toEqual([
      '1',
      '1.0',
      '1000000000000000.0',
    ]);
    expect((await evaluateAll(url)).text).toContain('"value":1.0,');
  });

  it('of a flag whose stored variants are not valid is PARSE_ERROR, and the default of the code counts', async () => {
    const { prisma } = database;
    await prisma.featureFlag.create({ data: { key: 'broken', name: 'Broken', type: 'STRING', enabled: true } });
    const ask = () => evaluateOne(url, 'broken');
    await until(async () => (await ask()).status !== 404, 'the flag is there');
    const { status, body } = await ask();
    expect(status).toBe(400);
    expect(body).toMatchObject({
      key: 'broken',
      errorCode: 'PARSE_ERROR',
      metadata: { halyardReason: 'CONDITIONS_NOT_MET' },
    });
    expect((await evaluateAll(url, { flags: ['broken'] })).body.flags).toEqual([body]);
    await prisma.featureFlag.delete({ where: { key: 'broken' } });
    await until(async () => (await ask()).status === 404, 'the flag is gone');
  });
});

describe('a flag that does not exist', () => {
  it.each(['nope', 'a%2Fb', 'a/b', '%zz', '__proto__', 'constructor', '', 'x'.repeat(5_000), '%F0%9F%98%80'])(
    'as in %j is 404',
    async key => {
      const { status, body } = await evaluateOne(url, key);
      expect(status).toBe(404);
      expect(body).toMatchObject({ errorCode: 'FLAG_NOT_FOUND', metadata: { halyardCode: 'FLAG_NOT_FOUND' } });
      expect(body.key.length).toBeLessThanOrEqual(200);
    },
  );

  it('is found by its encoded key if it does', async () => {
    expect((await evaluateOne(url, '%6fn')).body).toMatchObject({ key: 'on', value: true });
  });
});

describe('callers', () => {
  const ignored = { contextIgnored: true };
  type Row = [
    who: string,
    context: object | undefined,
    headers: Record<string, string>,
    expected: number | { metadata: object; halfOf: string | null; isPro: boolean },
  ];
  // `halfOf`: whose bucket decides the flag with a percentage, as the user of a service.
  const rows: Row[] = [
    ['anonymous', undefined, {}, { metadata: {}, halfOf: null, isPro: false }],
    ['anonymous', {}, {}, { metadata: {}, halfOf: null, isPro: false }],
    ['anonymous', { targetingKey: '' }, {}, { metadata: {}, halfOf: null, isPro: false }],
    ['anonymous', { targetingKey: device }, {}, { metadata: {}, halfOf: device, isPro: false }],
    ['anonymous', { targetingKey: device, plan: 'pro' }, {}, { metadata: ignored, halfOf: device, isPro: false }],
    ['anonymous', { targetingKey: 'ann@example.com' }, {}, { metadata: ignored, halfOf: null, isPro: false }],
    // The header wins.
    [
      'anonymous',
      { targetingKey: device },
      { 'x-halyard-device': 'device-00000' },
      { metadata: ignored, halfOf: 'device-00000', isPro: false },
    ],
    ['anonymous', { targetingKey: device }, { 'x-halyard-device': 'short' }, 400],
    ['user', undefined, {}, { metadata: {}, halfOf: ann, isPro: false }],
    ['user', { targetingKey: ann.toUpperCase() }, {}, { metadata: {}, halfOf: ann, isPro: false }],
    ['user', { targetingKey: ann, plan: 'pro' }, {}, { metadata: ignored, halfOf: ann, isPro: false }],
    ['user', { targetingKey: bob }, {}, 403],
    ['user', { targetingKey: device }, {}, 403],
    ['service', { targetingKey: bob, plan: 'pro' }, {}, { metadata: {}, halfOf: bob, isPro: true }],
    ['service', { plan: 'pro' }, { 'x-halyard-device': device }, { metadata: {}, halfOf: device, isPro: true }],
    ['admin', { targetingKey: 'auth0|1', plan: 'pro' }, {}, { metadata: {}, halfOf: 'auth0|1', isPro: true }],
    ['reader', { targetingKey: bob, plan: 'pro' }, {}, { metadata: {}, halfOf: bob, isPro: true }],
    ['service', { targetingKey: ' blank' }, {}, 400],
    ['service', { targetingKey: 'x'.repeat(256) }, {}, 400],
    ['service', { targetingKey: 1 }, {}, 400],
    ['user', { targetingKey: 1 }, {}, 400],
    ['service', { $id: 'x' }, {}, 400],
    ['service', { big: 'x'.repeat(20_000) }, {}, 400],
    ['service', { big: 2 ** 60 }, {}, 400],
  ];

  it.each(rows)('%s with %j %j', async (who, context, headers, expected) => {
    const token = tokens[who as 'user'];
    const sent = { token, headers };
    const [one, all] = [await evaluateOne(url, 'on', context, sent), await evaluateAll(url, context, sent)];
    if (typeof expected === 'number') {
      expect([one.status, all.status]).toEqual([expected, expected]);
      const code = expected === 403 ? 'GENERAL' : 'INVALID_CONTEXT';
      expect([one.body.errorCode, all.body.errorCode]).toEqual([code, code]);
      return;
    }
    expect(one.body.metadata).toEqual({ halyardReason: 'ENABLED', ...expected.metadata });
    expect(all.body.metadata).toEqual(expected.metadata);
    const asUser =
      expected.halfOf === null
        ? false
        : (await evaluateOne(url, 'half', { targetingKey: expected.halfOf }, { token: tokens.service })).body.value;
    expect(flagsOf(all)).toMatchObject({ half: asUser, pro: expected.isPro });
  });

  it('without a token are refused where the server says so', async () => {
    await using closed = await startTestServer({ FEATURE_ANONYMOUS: 'false' });
    const answers = [await evaluateOne(closed.url, 'on'), await evaluateAll(closed.url)];
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
    expect((await evaluateAll(closed.url, {}, { token: await closed.token('user') })).status).toBe(200);
  });

  it('with a credential that is refused get 401 in the form of the protocol, and say where it belongs', async () => {
    const expired = await server.token('user', { expiresInSeconds: -60 });
    for (const headers of [
      { authorization: `Bearer ${expired}` },
      { authorization: 'Basic x' },
      { 'x-api-key': 'x' },
    ] as Record<string, string>[]) {
      const { status, body } = await evaluateAll(url, {}, { headers });
      expect(status).toBe(401);
      expect(body).toMatchObject({ errorCode: 'GENERAL', metadata: { halyardCode: 'UNAUTHENTICATED' } });
    }
  });
});

describe('the answer with all flags', () => {
  it('has every flag, or those that the context names', async () => {
    expect(Object.keys(flagsOf(await evaluateAll(url)))).toHaveLength(14);
    const some = await evaluateAll(url, { flags: ['on', 'nope', 'text', 'on'] });
    expect(Object.keys(flagsOf(some))).toEqual(['on', 'text']);
    expect(flagsOf(await evaluateAll(url, { flags: [] }))).toEqual({});
  });

  it('has the same tag and the same ticket as long as nothing changes, and 304 says so', async () => {
    const first = await evaluateAll(url, {}, { token: tokens.user });
    const etag = first.headers.get('etag') as string;
    const again = await evaluateAll(url, {}, { token: tokens.user });
    expect(again.text).toBe(first.text);
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const { status, text, headers } = await evaluateAll(
        url,
        {},
        { token: tokens.user, headers: { 'if-none-match': tag } },
      );
      expect([status, text, headers.get('etag')]).toEqual([304, '', etag]);
    }
    expect((await evaluateAll(url, {}, { token: tokens.user, headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  it('has a tag that covers the stream: another subject, another one', async () => {
    const [a, b] = [
      await evaluateAll(url, { targetingKey: 'device-aaaa' }),
      await evaluateAll(url, { targetingKey: 'device-bbbb' }),
    ];
    expect(streamOf(a)).not.toBe(streamOf(b));
    expect(a.headers.get('etag')).not.toBe(b.headers.get('etag'));
  });

  it('has another tag after the attributes of the user changed, and the same after a change that concerns others', async () => {
    await using own = await startTestServer();
    const { management } = own.service;
    const condition = { conditions: { attributes: { plan: 'pro' } } };
    await management.createFlag({ key: 'pro', name: 'Pro', enabled: true, ...condition });
    const token = await own.token('user');
    const tagOf = async () => (await evaluateAll(own.url, {}, { token })).headers.get('etag');
    const before = await tagOf();
    await management.setUserAttributes({ userId: bob, attributes: { plan: 'pro' } });
    await management.createFlag({ key: 'z', name: 'Z' });
    await management.deleteFlag({ key: 'z' });
    expect(await tagOf()).toBe(before);
    await management.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } });
    expect(await tagOf()).not.toBe(before);
  });

  it('names an absolute address of the stream', async () => {
    const originOf = async (base: TestServer, headers: Record<string, string> = {}) => {
      const { body } = await rawBulk(base.url, headers);
      return new URL(body.eventStreams[0]?.url ?? '').href.split('/ofrep/')[0];
    };
    expect(await originOf(server)).toBe(url);
    const forwarded = { 'x-forwarded-host': 'flags.example', 'x-forwarded-proto': 'https' };
    expect(await originOf(server, forwarded)).toBe(url);
    expect(await originOf(server, { host: 'other.example:8443' })).toBe('http://other.example:8443');
    expect(await originOf(server, { host: 'evil"/><x' })).toBe(url);
    await using behind = await startTestServer({ TRUST_PROXY: 'true', PATH_PREFIX: '/flags' });
    expect(await originOf(behind, forwarded)).toBe('https://flags.example/flags');
    expect(await originOf(behind, { 'x-forwarded-host': 'x y' })).toBe(`${behind.url}/flags`);
    await using named = await startTestServer({ PUBLIC_URL: 'https://example.com/flags/', TRUST_PROXY: 'true' });
    expect(await originOf(named, forwarded)).toBe('https://example.com/flags');
  });

  it('is kept as the answers of GraphQL are: by caller and words, as long as nothing changes', async () => {
    await using own = await startTestServer();
    await own.service.management.createFlag({ key: 'a', name: 'A', enabled: false });
    const count = async (name: string) => {
      const text = await (await fetch(`${own.url}/metrics`)).text();
      return Number(new RegExp(`^${name}.* (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    };
    for (let time = 0; time < 4; time += 1) await evaluateAll(own.url);
    expect(await count('halyard_repeated_answers_total')).toBe(2);
    expect(await count('halyard_evaluations_total\\{reason="DISABLED"\\}')).toBe(2);
    await own.service.management.updateFlag({ key: 'a', enabled: true });
    expect(flagsOf(await evaluateAll(own.url))).toEqual({ a: true });
    expect(await count('halyard_http_requests_total\\{route="/ofrep/v1/evaluate/flags",status="200"\\}')).toBe(5);
    await evaluateOne(own.url, 'a');
    await evaluateOne(own.url, 'secret-key');
    expect(
      await count('halyard_http_requests_total\\{route="/ofrep/v1/evaluate/flags/\\{key\\}",status="404"\\}'),
    ).toBe(1);
    expect(await (await fetch(`${own.url}/metrics`)).text()).not.toContain('secret-key');
  });

  it('after an event waits until this node stands at its revision, and reads the log for nothing else', async () => {
    const own = await openPGlite();
    await using other = await startTestServer({}, { database: own });
    const backend = controlled(notClosing(own));
    backend.loseHints();
    await using deaf = await startTestServer({}, { database: backend as never, pollInterval: 60_000 });
    await using stream = await openStream(streamOf(await evaluateAll(other.url)));
    await stream.next();
    await other.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
    const { etag } = (await stream.next()).data;
    const reads = backend.count('changes');
    const ask = (tag: string) => evaluateAll(deaf.url, {}, {}, `?flagConfigEtag=${encodeURIComponent(tag)}`);
    const later = deaf.service.revision + 1;
    const forged = [`${later}`, '99999999', etag.replace(/^\d+/, '99999999'), `${etag}x`, etag.slice(0, -1)];
    for (const tag of [...forged, 'nonsense', '1'.repeat(5_000), '-1', '', '0', '.', `${later}.`]) {
      expect(flagsOf(await ask(tag))).toEqual({});
    }
    expect(backend.count('changes')).toBe(reads);
    expect(flagsOf(await ask(etag))).toEqual({ a: true });
    expect(backend.count('changes')).toBe(reads + 1);
    await ask(etag);
    expect(backend.count('changes')).toBe(reads + 1);
  });

  it('after an event waits for a moment only where the log cannot be read', async () => {
    const own = await openPGlite();
    await using other = await startTestServer({}, { database: own });
    const backend = controlled(notClosing(own));
    backend.loseHints();
    await using deaf = await startTestServer({}, { database: backend as never, pollInterval: 60_000 });
    await using stream = await openStream(streamOf(await evaluateAll(other.url)));
    await stream.next();
    await other.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
    const { etag } = (await stream.next()).data;
    // The database hangs.
    const release = backend.hold('changes');
    expect(flagsOf(await evaluateAll(deaf.url, {}, {}, `?flagConfigEtag=${etag}`))).toEqual({});
    release();
    await until(async () => 'a' in flagsOf(await evaluateAll(deaf.url)), 'the read comes to its end');
  });

  it('with FEATURE_CACHE_TTL=0 reads the log once, each time', async () => {
    const backend = controlled(await openPGlite());
    await using own = await startTestServer(
      { FEATURE_CACHE_TTL: '0' },
      { database: backend as never, pollInterval: 60_000 },
    );
    for (let time = 0; time < 3; time += 1) {
      const reads = backend.count('changes');
      await evaluateAll(own.url);
      expect(backend.count('changes')).toBe(reads + 1);
    }
  });
});

/** Node's own client, which may state any host. */
function rawBulk(
  base: string,
  headers: Record<string, string>,
): Promise<{ body: { eventStreams: { url: string }[] } }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${base}${evaluatePath}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    });
    sent.on('error', reject).on('response', async response => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ body: JSON.parse(text) });
    });
    sent.end('{}');
  });
}

describe('hostile requests', () => {
  const bulk = () => `${url}${evaluatePath}`;
  const both = () => [bulk(), `${bulk()}/on`];
  it.each<[string, () => [string | Uint8Array | null, object?], number, string]>([
    ['no JSON', () => ['{'], 400, 'PARSE_ERROR'],
    ['an empty body', () => [''], 400, 'PARSE_ERROR'],
    ['a list', () => ['[]'], 400, 'PARSE_ERROR'],
    ['null', () => ['null'], 400, 'PARSE_ERROR'],
    ['a context that is text', () => ['{"context":"x"}'], 400, 'INVALID_CONTEXT'],
    ['a context that is a list', () => ['{"context":[]}'], 400, 'INVALID_CONTEXT'],
    ['bytes that are not UTF-8', () => [new Uint8Array([0x22, 0xff, 0x22])], 400, 'PARSE_ERROR'],
    ['a huge body', () => [`{"context":{"x":"${'x'.repeat(1_100_000)}"}}`], 413, 'GENERAL'],
    ['another type', () => ['{}', { 'content-type': 'text/plain' }], 415, 'GENERAL'],
    ['another encoding', () => ['{}', { 'content-encoding': 'gzip' }], 415, 'GENERAL'],
    ['another character set', () => ['{}', { 'content-type': 'application/json; charset=utf-16' }], 415, 'GENERAL'],
    ['10,000 flags', () => [JSON.stringify({ context: { flags: Array(10_000).fill('a') } })], 400, 'INVALID_CONTEXT'],
    ['flags that are no list', () => ['{"context":{"flags":"a"}}'], 400, 'INVALID_CONTEXT'],
    ['flags that are no texts', () => ['{"context":{"flags":["a",1]}}'], 400, 'INVALID_CONTEXT'],
    [
      'a flag with a long key',
      () => [JSON.stringify({ context: { flags: ['a'.repeat(101)] } })],
      400,
      'INVALID_CONTEXT',
    ],
    [
      'attributes that are deep',
      () => [`{"context":{"a":${'['.repeat(200)}${']'.repeat(200)}}}`],
      400,
      'INVALID_CONTEXT',
    ],
    [
      'levels without end',
      () => [`{"context":{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}}`],
      400,
      'INVALID_CONTEXT',
    ],
    [
      'too many attributes',
      () => [JSON.stringify({ context: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`a${n}`, n])) })],
      400,
      'INVALID_CONTEXT',
    ],
  ])('with %s are refused in the form of the protocol', async (_name, made, status, errorCode) => {
    const [body, headers = {}] = made();
    for (const target of both()) {
      const answer = await send(target, body, { token: tokens.service, headers: headers as Record<string, string> });
      expect(answer.status).toBe(status);
      expect(answer.body.errorCode).toBe(errorCode);
    }
  });

  it('with keys of prototypes change nothing', async () => {
    const text =
      '{"context":{"__proto__":{"plan":"pro"},"constructor":{"plan":"pro"}},"__proto__":{"context":{"plan":"pro"}}}';
    const { body } = await send(`${bulk()}/pro`, text, { token: tokens.service });
    expect(body).toMatchObject({ value: false, metadata: { halyardReason: 'CONDITIONS_NOT_MET' } });
    expect(({} as Record<string, unknown>)['plan']).toBeUndefined();
  });

  it.each(['GET', 'PUT', 'DELETE', 'HEAD'])('by %s are 405, and say what is answered', async method => {
    for (const target of [...both()]) {
      const response = await fetch(target, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST, OPTIONS');
      if (method !== 'HEAD') expect(await response.json()).toMatchObject({ errorCode: 'GENERAL', metadata: {} });
    }
    expect((await send(`${url}/ofrep/v1/events`, null, { method: 'DELETE' })).status).toBe(405);
  });

  it('elsewhere below /ofrep are 404 in the form of the protocol, with one label in metrics', async () => {
    const paths = [
      '/v1',
      '/v1/',
      '/v1/evaluate',
      '/v2/evaluate/flags',
      '/v1/configuration',
      '/v1/events/x',
      '/',
      '//x',
    ];
    for (const path of [...paths, '', '?a=b'].map(end => `/ofrep${end}`)) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PROPFIND']) {
        const { status, body } = await send(`${url}${path}`, '{}', { method });
        expect([path, status, body.errorCode]).toEqual([path, 404, 'GENERAL']);
      }
      const read = await send(`${url}${path}`, null, { method: 'GET', token: 'x' });
      expect([read.status, read.body.errorCode]).toEqual([404, 'GENERAL']);
      const head = await fetch(`${url}${path}`, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([404, '']);
      expect((await fetch(`${url}${path}`, { method: 'OPTIONS' })).status).toBe(204);
    }
    const counted = await (await fetch(`${url}/metrics`)).text();
    expect(counted).toContain('route="/ofrep/{path}",status="404"} 48');
    expect(counted).toContain('route="/ofrep",status="404"} 12');
    expect((await fetch(`${url}/ofrepx`)).status).toBe(404);
  });

  it('beyond the requests of an address are 429 with a time to wait', async () => {
    await using small = await startTestServer({ MAX_REQUESTS_PER_ADDRESS: '1' });
    const held = request(`${small.url}${evaluatePath}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    held.on('error', () => {}).flushHeaders();
    await until(() => small.load.requests === 1, 'the first is under way');
    const { status, headers, body } = await evaluateAll(small.url);
    held.destroy();
    expect([status, headers.get('retry-after'), body.errorCode]).toEqual([429, '5', 'GENERAL']);
  });

  it('from pages of other origins are answered only where these are allowed', async () => {
    const preflight = await fetch(bulk(), {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-headers': 'authorization, if-none-match' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization, if-none-match');
  });
});

describe('without a database', () => {
  it('a user who is not known is 503, and known answers go on', async () => {
    const backend = controlled(await openPGlite());
    await using own = await startTestServer({}, { database: backend as never });
    await own.service.management.createFlag({ key: 'a', name: 'A', enabled: true });
    backend.fail('targeting', new UnavailableError());
    const token = await own.token('user');
    const { status, body } = await evaluateAll(own.url, {}, { token });
    expect([status, body.errorCode, body.metadata.halyardCode]).toEqual([503, 'GENERAL', 'UNAVAILABLE']);
    backend.fail('targeting', new Error('secret details'));
    const masked = await evaluateOne(own.url, 'a', {}, { token });
    expect([masked.status, masked.body.errorDetails]).toEqual([500, 'Unexpected error.']);
    expect(flagsOf(await evaluateAll(own.url))).toEqual({ a: true });
  });
});
