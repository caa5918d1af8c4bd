import { once } from 'node:events';
import { request } from 'node:http';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { rolloutBucket } from '../../src/core/rollout.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { startTestServer, type TestServer } from '../support/server.js';

/** The ids of ten thousand devices, the same in each run. */
const devices = Array.from({ length: 10_000 }, (_, index) => `device-${String(index).padStart(6, '0')}`);
const all = (device: string) => rolloutBucket('checkout', device);
/** A device in the first tenth of the rollout of `checkout`, one in the second, and one in the last. */
const [first = '', second = '', last = ''] = [0, 1, 9].map(
  tenth => devices.find(device => Math.floor(all(device) / 1_000) === tenth) as string,
);

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const { management } = server.service;
  await management.createFlag({ key: 'checkout', name: 'Checkout', enabled: true, percentage: 10 });
});
afterAll(() => server.close());

const query = '{ viewer { feature(key: "checkout") { enabled reason } } isEnabled(key: "checkout") }';
const subscription = 'subscription { viewerFeatures(keys: ["checkout"]) { snapshot featureMap } }';
const header = (device: string) => ({ 'x-halyard-device': device });

async function reasonOver(way: 'POST' | 'GET' | 'WebSocket', device: string): Promise<string> {
  if (way === 'POST') {
    const { body } = await httpClient(server.url).query(query, undefined, header(device));
    return body.data.viewer.feature.reason;
  }
  if (way === 'GET') {
    const headers = header(device);
    const answer = await fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`, { headers });
    expect(answer.headers.get('vary')).toContain('Authorization, X-API-Key, X-Halyard-Device');
    return (await answer.json()).data.viewer.feature.reason;
  }
  await using socket = wsClient(server.url, { device });
  return (await socket.query(query)).data.viewer.feature.reason;
}

/** The devices that a service is told have the feature. */
async function devicesWithFeature(): Promise<Set<string>> {
  const service = httpClient(server.url, await server.token('service'));
  const having = new Set<string>();
  for (let from = 0; from < devices.length; from += 1_000) {
    const contexts = devices.slice(from, from + 1_000).map(device => ({ device }));
    const { body } = await service.query(
      'query ($contexts: [EvaluationContextInput!]!) { evaluateMany(contexts: $contexts, keys: ["checkout"]) { featureMap } }',
      { contexts },
    );
    for (const [index, { featureMap }] of body.data.evaluateMany.entries()) {
      if (featureMap.checkout) having.add(contexts[index]?.device as string);
    }
  }
  return having;
}

const setPercentage = (percentage: number) => server.service.management.updateFlag({ key: 'checkout', percentage });

describe('a rollout to visitors without a user', () => {
  it('reaches one device in ten, each time the same, and keeps them when it grows', async () => {
    const ten = await devicesWithFeature();
    // Three standard deviations around a thousand.
    expect(ten.size).toBeGreaterThan(910);
    expect(ten.size).toBeLessThan(1_090);
    expect(await devicesWithFeature()).toEqual(ten);
    const client = httpClient(server.url);
    for (const device of devices.slice(0, 300)) {
      const { body } = await client.query('{ isEnabled(key: "checkout") }', undefined, header(device));
      expect(body.data.isEnabled, device).toBe(ten.has(device));
    }

    await setPercentage(20);
    const twenty = await devicesWithFeature();
    expect([...ten].filter(device => !twenty.has(device))).toEqual([]);
    expect(twenty.size).toBeGreaterThan(1_880);
    expect(twenty.size).toBeLessThan(2_120);
    await setPercentage(10);
    expect(await devicesWithFeature()).toEqual(ten);
  });

  it.each(['POST', 'GET', 'WebSocket'] as const)('asks for the device over %s', async way => {
    for (let time = 0; time < 4; time += 1) {
      expect(await reasonOver(way, first)).toBe('ROLLOUT');
      expect(await reasonOver(way, last)).toBe('OUTSIDE_ROLLOUT');
    }
  });

  it('answers USER_REQUIRED without a device, also after the same was asked with one', async () => {
    const client = httpClient(server.url);
    for (let time = 0; time < 4; time += 1) {
      const { body } = await client.query(query);
      expect(body.data.viewer.feature).toEqual({ enabled: false, reason: 'USER_REQUIRED' });
      expect((await client.query(query, undefined, header(first))).body.data.isEnabled).toBe(true);
    }
  });

  it('pushes each device its own answer when the percentage changes, over WebSocket and server-sent events', async () => {
    await using socket = wsClient(server.url, { device: second });
    await using overSocket = socket.subscribe(subscription);
    await using overEvents = await sseClient(server.url, subscription, { headers: header(second) });
    await using never = await sseClient(server.url, subscription, { headers: header(last) });
    const whole = { data: { viewerFeatures: { snapshot: true, featureMap: { checkout: false } } } };
    for (const stream of [overSocket, overEvents, never]) expect(await stream.next()).toEqual(whole);
    for (const [percentage, checkout] of [
      [20, true],
      [10, false],
      [20, true],
    ] as const) {
      await setPercentage(percentage);
      const change = { data: { viewerFeatures: { snapshot: false, featureMap: { checkout } } } };
      for (const stream of [overSocket, overEvents]) expect(await stream.next()).toEqual(change);
    }
    expect(never.size).toBe(0);
    await setPercentage(10);
  });

  it('takes the device of a service’s own token where that names no user', async () => {
    const service = httpClient(server.url, await server.token('service'));
    expect((await service.query(query, undefined, header(first))).body.data.isEnabled).toBe(true);
    expect((await service.query(query, undefined, header(last))).body.data.isEnabled).toBe(false);
  });
});

describe('a device', () => {
  it('changes no answer of a signed-in caller, whose answers are given again whatever the device', async () => {
    const bearer = await server.token('user', { userId: 'idp|someone', attributes: { plan: 'pro' } });
    const client = httpClient(server.url, bearer);
    const ask = async (headers = {}) =>
      (await client.query('{ viewer { id attributes groups features { key enabled reason } } }', undefined, headers))
        .body;
    const without = await ask();
    for (const device of [first, second, last]) {
      expect(await ask(header(device))).toEqual(without);
      await using socket = wsClient(server.url, { token: bearer as string, device });
      await using stream = socket.subscribe('subscription { viewerFeatures { features { key enabled reason } } }');
      expect((await stream.next()).data.viewerFeatures.features).toEqual(without.data.viewer.features);
    }
  });

  it('is no identity: it has no attributes, groups, conditions or overrides, and is nowhere in the answer', async () => {
    const { management } = server.service;
    await management.setOverride({ userId: first, flagKey: 'checkout', enabled: false });
    await management.setUserAttributes({ userId: first, attributes: { plan: 'pro' } });
    await management.addToGroup({ group: 'beta', userIds: [first] });
    await management.createFlag({
      ...{ key: 'targeted', name: 'Targeted', enabled: true },
      conditions: {
        any: [{ attributes: { plan: 'pro' } }, { attributes: { device: { exists: true } } }, { groups: ['beta'] }],
      },
    });
    const whole = '{ viewer { userId role attributes groups features { key enabled reason } } }';
    const { body } = await httpClient(server.url).query(whole, undefined, header(first));
    expect(body.data.viewer).toEqual({
      ...{ userId: null, role: 'ANONYMOUS', attributes: {}, groups: [] },
      features: [
        { key: 'checkout', enabled: true, reason: 'ROLLOUT' },
        { key: 'targeted', enabled: false, reason: 'CONDITIONS_NOT_MET' },
      ],
    });
    await management.deleteFlag({ key: 'targeted' });
    await management.deleteUser({ userId: first });
  });

  it('is in the log of evaluations, which says why a visitor got an answer', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'debug' }, { write: line => void lines.push(JSON.parse(line)) });
    await using logged = await startTestServer({}, { log });
    await logged.service.management.createFlag({ key: 'checkout', name: 'Checkout', enabled: true, percentage: 10 });
    await httpClient(logged.url).query('{ isEnabled(key: "checkout") }', undefined, header(last));
    expect(lines.filter(({ msg }) => msg === 'A flag was evaluated.')).toMatchObject([
      { flag: 'checkout', userId: null, device: last, enabled: false, reason: 'OUTSIDE_ROLLOUT' },
    ]);
  });

  it('may be sent by pages of other origins', async () => {
    const headers = { origin: 'https://shop.example', 'access-control-request-method': 'POST' };
    for (const asked of ['x-halyard-device', 'content-type,x-halyard-device', undefined]) {
      const answer = await fetch(`${server.url}/graphql`, {
        method: 'OPTIONS',
        headers: { ...headers, ...(asked === undefined ? {} : { 'access-control-request-headers': asked }) },
      });
      expect(answer.headers.get('access-control-allow-headers')).toContain('x-halyard-device');
    }
  });
});

/** What is answered to these header lines, over each form of HTTP. */
async function refusals(headers: readonly string[], path = '/graphql', bearer?: string) {
  const authorization = bearer === undefined ? [] : ['authorization', `Bearer ${bearer}`];
  const ways = [
    ['POST', JSON.stringify({ query }), 'application/json'],
    ['POST', JSON.stringify({ query: subscription }), 'text/event-stream'],
    ['GET', '', 'application/json'],
    ['GET', '', 'text/event-stream'],
  ] as const;
  return Promise.all(
    ways.map(async ([method, body, accept]) => {
      const text = accept === 'application/json' ? query : subscription;
      const separator = path.includes('?') ? '&' : '?';
      const outgoing = request(
        `${server.url}${path}${method === 'GET' ? `${separator}query=${encodeURIComponent(text)}` : ''}`,
        {
          method,
          headers: [
            ...['host', new URL(server.url).host, 'accept', accept, 'content-type', 'application/json'],
            ...['content-length', String(Buffer.byteLength(body)), ...authorization, ...headers],
          ] as never,
        },
      );
      outgoing.end(body);
      const [response] = await once(outgoing, 'response');
      let answer = '';
      for await (const chunk of response.setEncoding('utf8')) answer += chunk;
      const { errors } = JSON.parse(answer);
      return { status: response.statusCode, code: errors[0].extensions.code, message: errors[0].message };
    }),
  );
}

/** How a socket is closed that introduces itself so. */
async function refusalOfSocket(payload: object, headers: Record<string, string> = {}, search = ''): Promise<string> {
  const address = `${server.url.replace('http', 'ws')}/graphql${search}`;
  const socket = new WebSocket(address, 'graphql-transport-ws', { headers });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  try {
    return await new Promise((resolve, reject) => {
      socket.on('message', data => reject(new Error(String(data))));
      socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
    });
  } finally {
    socket.terminate();
  }
}

const form = 'Expected 8 to 64 characters of A-Z, a-z, 0-9, - and _';
const malformed: [device: string, found: string][] = [
  ['', 'an empty text'],
  ['a234567', '7'],
  ['x'.repeat(65), '65'],
  ['device 12', '" "'],
  ['device.12', '"."'],
  ['device-12,device-12', '","'],
  ['a/b/c/d/e', '"/"'],
  ['"device-12"', '"""'],
];

describe('a malformed device is refused', () => {
  it.each(malformed)('over HTTP: "%s"', async (device, found) => {
    const refusal = {
      status: 400,
      code: 'BAD_USER_INPUT',
      message: `The header X-Halyard-Device: ${form}, found ${found}.`,
    };
    expect(await refusals(['X-Halyard-Device', device])).toEqual(Array(4).fill(refusal));
    expect(await refusals(['X-Halyard-Device', device], '/graphql', await server.token('user'))).toContainEqual(
      refusal,
    );
  });

  it.each<[unknown, string]>([
    ...malformed,
    ['dévice-12', 'U+00E9'],
    [7, 'a number'],
    [true, 'a boolean'],
    [{}, 'an object'],
    [['device-12'], 'a list'],
  ])('in the connection parameters: %j', async (device, found) => {
    const refusal = `4400 "device" in the connection parameters: ${form}, found ${found}.`;
    expect(await refusalOfSocket({ device })).toBe(refusal);
    const authorization = `Bearer ${await server.token('user')}`;
    expect(await refusalOfSocket({ device, authorization })).toBe(refusal);
  });

  it('in the header of the handshake', async () => {
    const refusal = `4400 The header X-Halyard-Device of the handshake: ${form}, found "/".`;
    expect(await refusalOfSocket({}, header('a/b/c/d/e'))).toBe(refusal);
    expect(await refusalOfSocket({ device: first }, header('a/b/c/d/e'))).toBe(refusal);
    expect(await refusalOfSocket({ device: first }, header(second))).toMatch(/^4400 The handshake and .* different/);
  });

  it.each<[unknown, string]>([...malformed, ['device-\u0000-', 'U+0000']])(
    'in a stated context: %j',
    async (device, found) => {
      const service = httpClient(server.url, await server.token('service'));
      const one = await service.query('query ($c: EvaluationContextInput!) { evaluate(context: $c) { key } }', {
        c: { userId: 'ann', device },
      });
      expect(one.body.errors).toMatchObject([
        {
          message: `context.device: ${form}, found ${found}.`,
          extensions: { code: 'BAD_USER_INPUT', path: ['context', 'device'] },
        },
      ]);
      const many = await service.query(
        'query ($c: [EvaluationContextInput!]!) { evaluateMany(contexts: $c) { featureMap } }',
        { c: [{ device: null }, { device }] },
      );
      expect(many.body.errors).toMatchObject([{ extensions: { path: ['contexts', '1', 'device'] } }]);
      const socket = await server.ws('service');
      const live = await socket.query(
        'subscription ($c: EvaluationContextInput!) { evaluations(context: $c) { revision } }',
        {
          c: { device },
        },
      );
      expect(live.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', path: ['context', 'device'] } }]);
      await socket.close();
    },
  );
});

describe('a device in another place is refused, and the right place is named', () => {
  it.each<[string, string[], string, RegExp]>([
    ['twice', ['x-halyard-device', first, 'X-Halyard-Device', first], '', /X-Halyard-Device is given more than once/],
    [
      'in the URL',
      ['x-halyard-device', first],
      `?device=${first}`,
      /"device" in the URL.*"X-Halyard-Device: <device>"/,
    ],
    ['in another header', ['x-halyard-device-id', first], '', /X-Halyard-Device-Id.*"X-Halyard-Device: <device>"/],
  ])('over HTTP: %s', async (_name, headers, search, message) => {
    for (const refusal of await refusals(headers, `/graphql${search}`)) {
      expect(refusal).toEqual({ status: 400, code: 'BAD_USER_INPUT', message: expect.stringMatching(message) });
    }
  });

  it.each<[string, object, string, RegExp]>([
    ['deviceId', { deviceId: first }, '', /"deviceId".*send { "device": "<device>" }/],
    ['the header as a parameter', { 'X-Halyard-Device': first }, '', /"X-Halyard-Device".*send { "device"/],
    ['headers', { headers: { 'x-halyard-device': first } }, '', /"headers.x-halyard-device".*send { "device"/],
    ['two parameters', { device: first, Device: first }, '', /"device" more than once/],
    ['the URL', {}, `?device=${first}`, /"device" in the URL.*send { "device"/],
  ])('over WebSocket: %s', async (_name, payload, search, message) => {
    const closed = await refusalOfSocket(payload, {}, search);
    expect(closed).toMatch(/^4400 /);
    expect(closed).toMatch(message);
  });

  it('refuses the token first where both are wrong', async () => {
    const headers = ['authorization', 'hunter2', 'x-halyard-device', 'a b'];
    for (const { status, code } of await refusals(headers))
      expect({ status, code }).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await refusalOfSocket({ authorization: 'hunter2', device: 'a b' })).toMatch(/^4403 /);
  });
});
