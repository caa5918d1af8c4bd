import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type EvaluationContext,
  FirstMatchStrategy,
  InMemoryProvider,
  MultiProvider,
  OpenFeature,
  ProviderEvents,
} from '@openfeature/server-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createFeatures, MemoryBackend, UnavailableError } from '../../src/index.js';
import { HalyardProvider, type ServerOptions } from '../../src/openfeature/index.js';
import { cleanups } from '../support/cleanups.js';
import { controlled } from '../support/controlled-backend.js';
import { openPGlite } from '../support/pglite.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const onCleanup = (cleanup: () => unknown) => cleanups.push(cleanup);
afterEach(() => OpenFeature.clearProviders());

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const theme = {
  name: 'Theme',
  enabled: true,
  type: 'STRING',
  variants: [
    { key: 'grey', value: '#888', weight: 0 },
    { key: 'blue', value: '#00f', weight: 1 },
  ],
  offVariant: 'grey',
} as const;
const size = {
  name: 'Size',
  enabled: true,
  type: 'NUMBER',
  offVariant: 'ten',
  variants: [{ key: 'ten', value: 10, weight: 1 }],
} as const;
const limits = {
  name: 'Limits',
  enabled: true,
  type: 'OBJECT',
  offVariant: 'few',
  variants: [{ key: 'few', value: { perMinute: 5 }, weight: 1 }],
} as const;
const pro = { attributes: { plan: 'pro' } };
const rules = [{ id: 'staff', when: { attributes: { role: 'staff' } }, percentage: 100, on: true, serve: [] }];

interface Stage {
  readonly create: (
    flag: Parameters<Awaited<ReturnType<typeof library>>['features']['createFlag']>[0],
  ) => Promise<unknown>;
  readonly update: (key: string, enabled: boolean) => Promise<unknown>;
}

async function library() {
  const backend = controlled(new MemoryBackend());
  const features = await createFeatures({ backend, pollInterval: 20 });
  onCleanup(() => features.close());
  return { backend, features };
}

async function overLibrary(): Promise<Stage> {
  const { features } = await library();
  await OpenFeature.setProviderAndWait(new HalyardProvider(features));
  return { create: flag => features.createFlag(flag), update: (key, enabled) => features.updateFlag({ key, enabled }) };
}

async function overHttp(options: Partial<ServerOptions> = {}): Promise<Stage> {
  const { management } = server.service;
  onCleanup(async () => {
    for (const { key } of await server.service.flags()) await management.deleteFlag({ key }, null);
  });
  const token = async () => (await server.token('service')) as string;
  await OpenFeature.setProviderAndWait(new HalyardProvider({ url: server.url, token, pollInterval: 20, ...options }));
  return {
    create: flag => management.createFlag(flag, null),
    update: (key, enabled) => management.updateFlag({ key, enabled }, null),
  };
}

describe.each([
  ['the features of a program', overLibrary],
  ['a server', overHttp],
] as const)('a provider over %s', (_, start) => {
  it('answers with value, variant and reason', async () => {
    const { create } = await start();
    await create({ key: 'checkout', name: 'Checkout', enabled: true, conditions: pro, rules });
    await create({ key: 'theme', ...theme });
    await create({ key: 'size', ...size });
    await create({ key: 'limits', ...limits });
    const client = OpenFeature.getClient();
    expect(await client.getBooleanValue('checkout', false, { targetingKey: ann, plan: 'pro' })).toBe(true);
    expect(await client.getBooleanDetails('checkout', true, { targetingKey: ann, plan: 'free' })).toMatchObject({
      value: false,
      variant: 'off',
      reason: 'DEFAULT',
      flagMetadata: { halyardReason: 'CONDITIONS_NOT_MET' },
    });
    expect(await client.getBooleanDetails('checkout', false, { role: 'staff' })).toMatchObject({
      value: true,
      reason: 'TARGETING_MATCH',
      flagMetadata: { halyardReason: 'RULE', rule: 'staff' },
    });
    expect(await client.getStringDetails('theme', '')).toMatchObject({
      value: '#00f',
      variant: 'blue',
      reason: 'STATIC',
    });
    expect(await client.getNumberValue('size', 1)).toBe(10);
    expect(await client.getObjectValue('limits', {})).toEqual({ perMinute: 5 });
  });

  it('gives the off value of a flag that is off, and says so', async () => {
    const { create } = await start();
    await create({ key: 'theme', ...theme, enabled: false });
    expect(await OpenFeature.getClient().getStringDetails('theme', 'x')).toMatchObject({
      value: '#888',
      variant: 'grey',
      reason: 'DISABLED',
    });
  });

  it('gives the default of the caller, and why: no flag, another type', async () => {
    const { create } = await start();
    await create({ key: 'theme', ...theme });
    const client = OpenFeature.getClient();
    expect(await client.getBooleanDetails('nope', true)).toMatchObject({
      value: true,
      reason: 'ERROR',
      errorCode: 'FLAG_NOT_FOUND',
      errorMessage: 'There is no flag with the key "nope".',
    });
    expect(await client.getBooleanDetails('theme', true)).toMatchObject({ value: true, errorCode: 'TYPE_MISMATCH' });
    expect(await client.getNumberDetails('theme', 3)).toMatchObject({ value: 3, errorCode: 'TYPE_MISMATCH' });
  });

  it('takes dates, and objects in the context', async () => {
    const { create } = await start();
    const conditions = {
      attributes: { since: { lt: '2024-01-01' }, 'address.country': 'DE', tags: { contains: 'a' } },
    };
    await create({ key: 'old', name: 'Old', enabled: true, conditions });
    const since = new Date('2023-05-05T00:00:00Z');
    const context: EvaluationContext = {
      since,
      address: { country: 'DE', zip: undefined as never },
      tags: ['a', null],
    };
    expect(await OpenFeature.getClient().getBooleanDetails('old', false, context)).toMatchObject({ value: true });
  });

  it('tells of changes', async () => {
    const { create, update } = await start();
    await create({ key: 'checkout', name: 'Checkout' });
    const client = OpenFeature.getClient();
    const changed: (readonly string[] | undefined)[] = [];
    await until(async () => (await client.getBooleanDetails('checkout', true)).value === false, 'the flag is known');
    client.addHandler(ProviderEvents.ConfigurationChanged, details => {
      changed.push(details?.flagsChanged);
    });
    await update('checkout', true);
    await until(() => changed.length > 0, 'the change is told');
    expect(changed.at(-1)).toEqual(start === overLibrary ? ['checkout'] : undefined);
    expect(await client.getBooleanValue('checkout', false)).toBe(true);
  });

  it('ignores tracked events', async () => {
    await start();
    expect(() => OpenFeature.getClient().track('bought', {}, { value: 5 })).not.toThrow();
  });
});

describe('a provider over the features of a program', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a Map', { tags: new Map() }, 'found an object of the class Map'],
    ['a function', { tags: () => 1 }, 'found a function'],
    ['a date that is not valid', { since: new Date(Number.NaN) }, 'a Date that is not valid'],
    ['NaN', { age: Number.NaN }, 'found NaN'],
    ['a rounded integer', { age: 2 ** 53 }, 'Write it as text'],
    ['a reserved name', { $id: 'x' }, 'Names that begin with "$" are kept'],
    ['an empty targeting key', { targetingKey: '' }, 'targetingKey'],
    ['a targeting key that is a number', { targetingKey: 5 }, 'write it as text'],
    ['an object that contains itself', { loop: selfContaining() }, 'levels of lists and objects'],
  ])('refuses a context with %s', async (_name, context, message) => {
    await overLibrary();
    const details = await OpenFeature.getClient().getBooleanDetails('any', true, context as EvaluationContext);
    expect(details).toMatchObject({ value: true, errorCode: 'INVALID_CONTEXT' });
    expect(details.errorMessage).toContain(message);
  });

  it('is stale while the log cannot be read, and ready again', async () => {
    const { backend, features } = await library();
    await OpenFeature.setProviderAndWait(new HalyardProvider(features));
    const client = OpenFeature.getClient();
    const mend = backend.fail('changes', new UnavailableError('db.internal cannot be reached.'));
    let message: string | undefined;
    client.addHandler(ProviderEvents.Stale, details => {
      message = details?.message;
    });
    await until(() => client.providerStatus === 'STALE', 'it is stale');
    expect(message).toBe('The change log cannot be read, so answers may be old.');
    mend();
    await until(() => client.providerStatus === 'READY', 'it is ready');
  });

  it('has no answers before it is initialized, and after it is closed', async () => {
    const { features } = await library();
    const provider = new HalyardProvider(features);
    const notReady = { value: true, errorCode: 'PROVIDER_NOT_READY' };
    expect(await provider.resolveBooleanEvaluation('a', true)).toMatchObject(notReady);
    await provider.initialize();
    expect(await provider.resolveBooleanEvaluation('a', true)).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' });
    await provider.onClose();
    expect(await provider.resolveBooleanEvaluation('a', true)).toMatchObject(notReady);
    await provider.initialize();
    expect(await provider.resolveBooleanEvaluation('a', true)).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' });
    await provider.onClose();
  });

  it('leaves the features of the program open', async () => {
    const { features } = await library();
    await features.createFlag({ key: 'a', name: 'A', enabled: true });
    await OpenFeature.setProviderAndWait(new HalyardProvider(features));
    await OpenFeature.clearProviders();
    expect(await features.isEnabled('a')).toBe(true);
  });

  it('says that stored variants are not valid, and never what failed inside', async () => {
    const { backend, features } = await library();
    await OpenFeature.setProviderAndWait(new HalyardProvider(features));
    backend.fail('targeting', new Error('password=secret'));
    const details = await OpenFeature.getClient().getBooleanDetails('a', true, { targetingKey: 'new' });
    expect(details).toMatchObject({ value: true, errorCode: 'GENERAL' });
    expect(JSON.stringify(details)).not.toContain('secret');
  });
});

describe('a provider over a server', () => {
  it('asks once for questions of one turn', async () => {
    const { create } = await overHttp({ pollInterval: 0 });
    await create({ key: 'checkout', name: 'Checkout', enabled: true, conditions: pro });
    await create({ key: 'theme', ...theme });
    const counted = await counting(server.url);
    const token = (await server.token('service')) as string;
    await OpenFeature.setProviderAndWait(new HalyardProvider({ url: counted.url, token, pollInterval: 0 }));
    const client = OpenFeature.getClient();
    counted.bodies.length = 0;
    const users = Array.from({ length: 60 }, (_, index) => ({
      targetingKey: `u${index}`,
      plan: index % 2 ? 'pro' : 'free',
    }));
    const [checkouts, themes] = await Promise.all([
      Promise.all(users.map(user => client.getBooleanValue('checkout', false, user))),
      Promise.all(users.slice(0, 30).map(user => client.getStringValue('theme', '', user))),
    ]);
    expect(counted.bodies).toHaveLength(1);
    expect(checkouts).toEqual(users.map(({ plan }) => plan === 'pro'));
    expect(new Set(themes)).toEqual(new Set(['#00f']));
    await Promise.all(
      Array.from({ length: 250 }, (_, index) => client.getBooleanValue('checkout', false, { n: index })),
    );
    expect(counted.bodies).toHaveLength(4);
  });

  it('gives each question its own error', async () => {
    const { create } = await overHttp();
    await create({ key: 'checkout', name: 'Checkout', enabled: true });
    const client = OpenFeature.getClient();
    const [good, long, missing] = await Promise.all([
      client.getBooleanDetails('checkout', false),
      client.getBooleanDetails('k'.repeat(101), false),
      client.getBooleanDetails('nope', false),
    ]);
    expect(good).toMatchObject({ value: true, reason: 'STATIC' });
    expect(long).toMatchObject({ value: false, errorCode: 'GENERAL' });
    expect(missing).toMatchObject({ value: false, errorCode: 'FLAG_NOT_FOUND' });
  });

  it('is stale while the server is away, and ready again once it is back', async () => {
    const secret = 'a secret of at least thirty-two bytes';
    const first = await startTestServer({ AUTH_JWT_SECRET: secret });
    const token = (await first.token('service')) as string;
    await OpenFeature.setProviderAndWait(new HalyardProvider({ url: first.url, token, pollInterval: 20 }));
    const client = OpenFeature.getClient();
    await first.close();
    await until(() => client.providerStatus === 'STALE', 'it is stale');
    expect(await client.getBooleanDetails('a', true)).toMatchObject({ value: true, errorCode: 'GENERAL' });
    const second = await startTestServer({ AUTH_JWT_SECRET: secret, PORT: String(first.port) });
    onCleanup(() => second.close());
    await until(() => client.providerStatus === 'READY', 'it is ready');
    expect(await client.getBooleanDetails('a', true)).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' });
  });

  it('is in error while the server refuses the token, and never shows it', async () => {
    let token = 'a-wrong-token';
    const provider = new HalyardProvider({ url: server.url, token: () => token, pollInterval: 20 });
    const error = await OpenFeature.setProviderAndWait(provider).catch((refused: Error) => refused.message);
    expect(error).toContain('The server refuses the token');
    expect(error).not.toContain('wrong-token');
    const client = OpenFeature.getClient();
    expect(client.providerStatus).toBe('ERROR');
    token = (await server.token('service')) as string;
    await until(() => client.providerStatus === 'READY', 'it is ready');
  });

  it.each<[string, ServerOptions['token'], string]>([
    ['fails', () => Promise.reject(new Error('vault secret')), 'The function that gives the token has failed.'],
    ['gives nothing', () => '', 'The token is empty'],
  ])('says that the function of the token %s', async (_name, token, message) => {
    const provider = new HalyardProvider({ url: 'http://127.0.0.1:9', token, pollInterval: 0 });
    await expect(provider.initialize()).rejects.toThrow(message);
    await provider.onClose();
  });

  it('waits as long as the server asks, and does not ask before', async () => {
    let asked = 0;
    const url = await answering((_request, response) => {
      asked += 1;
      response.writeHead(429, { 'retry-after': '60' }).end();
    });
    const provider = new HalyardProvider({ url, token: 't', pollInterval: 0, timeout: 1_000 });
    await expect(provider.initialize()).rejects.toThrow('The server cannot answer now: HTTP 429');
    expect(await provider.resolveBooleanEvaluation('a', true)).toMatchObject({
      errorMessage: 'The server wants no request for 60 more seconds.',
    });
    expect(asked).toBe(1);
    await provider.onClose();
  });

  it('is ready again after a start that the server refused', async () => {
    let isRefused = true;
    const url = await answering((_request, response) => {
      const refusal = { errors: [{ message: 'Not now.', extensions: { code: 'TOO_COSTLY' } }] };
      response.end(JSON.stringify(isRefused ? refusal : { data: { viewer: { revision: 1 } } }));
    });
    const provider = new HalyardProvider({ url, token: 't', pollInterval: 20 });
    await expect(OpenFeature.setProviderAndWait(provider)).rejects.toThrow('The server refuses the question: Not now.');
    isRefused = false;
    await until(() => OpenFeature.getClient().providerStatus === 'READY', 'it is ready');
  });

  it('gives up on a server that does not answer, and on one that is no Halyard', async () => {
    const silent = await answering(() => {});
    const late = new HalyardProvider({ url: silent, token: 't', pollInterval: 0, timeout: 50 });
    await expect(late.initialize()).rejects.toThrow('The server did not answer within 50 ms.');
    await late.onClose();
    const other = await answering((_request, response) => response.end('<html>'));
    const wrong = new HalyardProvider({ url: other, token: 't', pollInterval: 0 });
    await expect(wrong.initialize()).rejects.toThrow('is not one of a Halyard server: check the url.');
    await wrong.onClose();
  });

  it.each([
    [{ url: 'ftp://x', token: 't' }, 'The url of a server is an address'],
    [{ url: 'https://user:pass@x', token: 't' }, 'without a user or a password'],
    [{ url: 'https://x', token: undefined as never }, 'asked with a token'],
    [{ url: 'https://x', token: 't', timeout: 0 }, 'timeout is 0'],
    [{ url: 'https://x', token: 't', pollInterval: -1 }, 'pollInterval is -1'],
  ])('refuses the options %j', (options, message) => {
    expect(() => new HalyardProvider(options)).toThrow(message);
  });
});

it('takes over flag by flag beside another provider', async () => {
  const { features } = await library();
  await features.createFlag({ key: 'moved', name: 'Moved', enabled: true });
  const old = { moved: bool(false), waiting: bool(true) };
  const both = new MultiProvider(
    [{ provider: new HalyardProvider(features) }, { provider: new InMemoryProvider(old) }],
    new FirstMatchStrategy(),
  );
  await OpenFeature.setProviderAndWait(both);
  const client = OpenFeature.getClient();
  expect(await client.getBooleanValue('moved', false)).toBe(true);
  expect(await client.getBooleanValue('waiting', false)).toBe(true);
  expect(await client.getBooleanDetails('nowhere', false)).toMatchObject({ value: false, reason: 'ERROR' });
});

const bool = (on: boolean) => ({
  variants: { on: true, off: false },
  defaultVariant: on ? ('on' as const) : ('off' as const),
  disabled: false,
});

function selfContaining(): object {
  const loop: { self?: object } = {};
  loop.self = loop;
  return loop;
}

/** A server that answers as told. */
async function answering(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server: Server = createServer(handler as never);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.closeAllConnections();
    return new Promise<void>(resolve => server.close(() => resolve()));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Stands before a server, and keeps the bodies of requests. */
async function counting(target: string): Promise<{ readonly url: string; readonly bodies: string[] }> {
  const bodies: string[] = [];
  const url = await answering(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    const headers = { 'content-type': 'application/json', authorization: request.headers.authorization ?? '' };
    const answer = await fetch(`${target}${request.url}`, { method: 'POST', headers, body });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  return { url, bodies };
}

describe('a flag whose stored variants are not valid', () => {
  it.each(['the features of a program', 'a server'])(
    'is PARSE_ERROR over %s, and the default of the caller',
    async over => {
      const database = await openPGlite();
      await database.prisma.featureFlag.create({
        data: { key: 'broken', name: 'Broken', type: 'STRING', enabled: true },
      });
      if (over === 'a server') {
        const own = await startTestServer({}, { database });
        onCleanup(() => own.close());
        const token = (await own.token('service')) as string;
        await OpenFeature.setProviderAndWait(new HalyardProvider({ url: own.url, token, pollInterval: 0 }));
      } else {
        const features = await createFeatures({ backend: database });
        onCleanup(() => features.close());
        await OpenFeature.setProviderAndWait(new HalyardProvider(features));
      }
      const client = OpenFeature.getClient();
      expect(await client.getStringDetails('broken', 'mine', { targetingKey: ann })).toMatchObject({
        value: 'mine',
        reason: 'ERROR',
        errorCode: 'PARSE_ERROR',
        errorMessage: expect.stringContaining('The stored variants of the flag "broken" are not valid.'),
        flagMetadata: { halyardReason: 'CONDITIONS_NOT_MET' },
      });
      // There is no value, whatever type is asked for.
      expect((await client.getBooleanDetails('broken', true)).errorCode).toBe('PARSE_ERROR');
    },
  );
});
