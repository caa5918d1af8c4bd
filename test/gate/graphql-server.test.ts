import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { type ExecutionResult, execute, subscribe } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { gatedField } from '../../src/gate/graphql.js';
import { createFeatures, type Features, MemoryBackend } from '../../src/index.js';
import { httpClient, sseClient, wsClient } from '../support/clients.js';
import { until } from '../support/wait.js';
import { EventSource } from './event-source.js';
import { type Context, fieldForms, type GatedSchema, type MakeSchema } from './gated-schemas.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const notFound = { message: 'Not found.', extensions: { code: 'FEATURE_DISABLED' } };

let features: Features;
let stop: () => Promise<void>;

beforeEach(async () => {
  features = await createFeatures({ backend: new MemoryBackend() });
  await features.createFlag({ key: 'on', name: 'On', enabled: true });
  await features.createFlag({ key: 'off', name: 'Off' });
  stop = async () => {};
});

afterEach(async () => {
  await stop();
  await features.close();
});

/** Yoga over HTTP and graphql-ws over WebSocket, on a port of its own; everybody is Ann. */
async function serve(makeSchema: MakeSchema, given: Omit<GatedSchema, 'features'>): Promise<string> {
  const schema = makeSchema({ features, ...given });
  const context = (): Context => ({ user: ann });
  const yoga = createYoga({ schema, context, logging: false });
  const server = createServer((request, response) => void yoga(request, response));
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  const disposable = useServer({ schema, context, execute, subscribe }, sockets);
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  stop = async () => {
    await disposable.dispose();
    sockets.close();
    server.closeAllConnections();
    await new Promise(done => server.close(done));
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each(fieldForms)('behind a server, %s', (_form, makeSchema) => {
  it.each([404, 403] as const)('gives the answer the status %d', async status => {
    const url = await serve(makeSchema, { gate: { key: 'off', status } });
    const refused = await httpClient(url).query('{ free gated(name: "x") }');
    expect(refused.status).toBe(status);
    expect(refused.body.data).toEqual({ free: 'free', gated: null });
    expect(refused.body.errors).toMatchObject([{ extensions: { code: 'FEATURE_DISABLED' }, path: ['gated'] }]);
    expect((await httpClient(url).query('{ free }')).status).toBe(200);
    await features.setOverride({ userId: ann, flagKey: 'off', enabled: true });
    expect((await httpClient(url).query('{ free gated(name: "x") }')).status).toBe(200);
  });

  it('leaves the status alone when it is soft', async () => {
    const url = await serve(makeSchema, { gate: { key: 'off', soft: true } });
    const { status, body } = await httpClient(url).query('{ free gated(name: "x") }');
    expect([status, body]).toEqual([200, { data: { free: 'free', gated: null } }]);
  });

  it('ends a stream of events with the reason', async () => {
    const events = new EventSource<string>();
    const url = await serve(makeSchema, { gate: { key: 'on' }, subscribe: () => events });
    await using stream = await sseClient(url, 'subscription { gated }');
    await until(() => events.readers === 1, 'the client has subscribed');
    events.push('1');
    expect(await stream.next()).toEqual({ data: { gated: '1' } });
    await features.updateFlag({ key: 'on', enabled: false });
    expect(await stream.next()).toMatchObject({ data: { gated: null }, errors: [notFound] });
    await stream.ended;
    expect(stream.raw).toMatch(/event: complete/);
    expect([events.readers, features.status.subscribers]).toEqual([0, 0]);
  });

  it('ends one subscription of a WebSocket with the reason, and no other', async () => {
    const events = new EventSource<string>();
    const url = await serve(makeSchema, { gate: { key: 'on' }, subscribe: () => events });
    await using client = wsClient(url);
    await using gone = client.subscribe('subscription { gated }');
    await until(() => events.readers === 1, 'the client has subscribed');
    await features.setOverride({ userId: ann, flagKey: 'on', enabled: false });
    expect(await gone.next()).toMatchObject({ data: { gated: null }, errors: [notFound] });
    await gone.ended;
    await expect(gone.next()).rejects.toThrow('The operation is complete.');

    await using refused = client.subscribe('subscription { gated }');
    expect(await refused.next()).toMatchObject({ errors: [notFound] });
    await features.removeOverride({ userId: ann, flagKey: 'on' });
    await using again = client.subscribe('subscription { gated }');
    await until(() => events.readers === 1, 'the client has subscribed');
    events.push('2');
    expect(await again.next()).toEqual({ data: { gated: '2' } });

    await client.close();
    await until(() => events.readers === 0, 'the source is let go');
    expect(features.status.subscribers).toBe(0);
  });
});

it('does not depend on which copy of graphql a program uses', async () => {
  const require = createRequire(import.meta.url);
  const esm: typeof import('graphql') = await import(require.resolve('graphql').replace(/\.js$/, '.mjs'));
  const { GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString, graphql } = esm;
  expect(GraphQLSchema).not.toBe((await import('graphql')).GraphQLSchema);
  const resolve = gatedField('off', { features, soft: true })(() => 'in');
  const fields = {
    soft: { type: GraphQLString, resolve },
    hard: { type: new GraphQLNonNull(GraphQLString), resolve },
  };
  const schema = new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields }) });
  const run = (source: string): Promise<ExecutionResult> => graphql({ schema, source });
  expect(await run('{ soft }')).toEqual({ data: { soft: null } });
  expect((await run('{ hard }')).errors?.[0]?.extensions).toEqual({ code: 'FEATURE_DISABLED', http: { status: 404 } });
});
