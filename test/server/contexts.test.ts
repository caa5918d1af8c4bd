import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContextFactory, releaseContext } from '../../src/graphql/context.js';
import { defaultServerLimits } from '../../src/server/limits.js';
import { createOperations } from '../../src/server/operations/operations.js';
import { sseClient, wsClient } from '../support/clients.js';
import { callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';
import { startTestServer } from './harness.js';
import { exchange, startWaysServer } from './ways.js';

describe('what the schema keeps for a context', () => {
  it('is let go of when the operation is over, whichever way it came and however it ended', async () => {
    const released: object[] = [];
    await using server = await startWaysServer({ releaseContext: context => released.push(context) });
    const ask = (query: string) => exchange(server, { body: JSON.stringify({ query }) });
    for (const query of ['{ hello }', '{ hello }', '{ fails(code: "FORBIDDEN") }', 'mutation { count }'])
      await ask(query);
    expect(new Set(released).size).toBe(4);
    await ask('{ nothing }');
    expect(released).toHaveLength(4);
  });

  it.each(['SSE', 'a WebSocket'])(
    'is let go of after the opening and each event of a subscription over %s',
    async way => {
      const released: object[] = [];
      await using server = await startTestServer({ releaseContext: context => released.push(context) });
      await using client = way === 'SSE' ? null : await wsClient(server.url);
      const query = 'subscription { tick }';
      await using stream = client?.subscribe(query) ?? (await sseClient(server.url, query));
      await stream.next();
      server.ticker.tick();
      await stream.next();
      expect(released).toHaveLength(3);
      expect(new Set(released).size).toBe(1);
    },
  );
});

describe('a context of resolvers', () => {
  let graphql: TestGraphQL;
  beforeAll(async () => {
    graphql = await openGraphQL();
  });
  afterAll(() => graphql.close());

  it('is young garbage once its operation is over', async () => {
    const log = pino({ level: 'silent' });
    const { prepare, execute } = createOperations({
      schema: graphql.schema,
      createContext: createContextFactory({
        service: graphql.service,
        prisma: graphql.database.prisma,
        allowAnonymous: true,
        server: { version: '0.0.0', environment: null, isProtected: false },
      }),
      releaseContext,
      log,
      limits: defaultServerLimits,
      suggestions: false,
      anonymousIntrospection: false,
      metrics: null,
    });
    async function run(count: number): Promise<void> {
      for (let number = 0; number < count; number += 1) {
        const origin = { caller: callers.user, device: null, requestId: `${number}`, address: '::1', log };
        const prepared = await prepare({ query: '{ viewer { featureMap } }' }, origin);
        if (!('document' in prepared)) throw prepared[0];
        expect((await execute(prepared)).errors).toBeUndefined();
        if (number % 50 === 49) globalThis.gc?.({ type: 'minor' });
      }
    }
    await run(200);
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    await run(1_000);
    // 0.4 kB stay, and 1.9 kB where nothing is released.
    expect((process.memoryUsage().heapUsed - before) / 1_000).toBeLessThan(1_000);
  });
});
