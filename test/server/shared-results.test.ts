import { setImmediate as nextTurn } from 'node:timers/promises';
import { buildSchema, type GraphQLField, type GraphQLObjectType, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createSchema } from '../../src/graphql/index.js';
import { createOperationFinder, type KnownOperation } from '../../src/server/operations/known-operation.js';
import { SharedResults } from '../../src/server/operations/shared-results.js';
import { ann, startTestServer } from '../support/server.js';

const schema = buildSchema(`
  type Query { a: Int }
  type Viewer { n: Int }
  type Update { n: Int many(first: Int): Int viewer: Viewer }
  type Subscription { steady(from: Int): Update other: Update }
`);
const field = schema.getSubscriptionType()?.getFields()['steady'] as GraphQLField<unknown, unknown>;
field.extensions = { shareable: true };
const own = schema.getType('Update') as GraphQLObjectType;
(own.getFields()['viewer'] as GraphQLField<unknown, unknown>).extensions = { shareable: false };

const find = createOperationFinder(schema);
const operationOf = (query: string) => find(parse(query), null) as KnownOperation;

/** How often it is executed when two subscribers with these operations get the same event. */
async function executions(first: KnownOperation, second: KnownOperation, events: [unknown, unknown] = sameEvent()) {
  const shared = new SharedResults();
  let times = 0;
  const execute = async () => {
    times += 1;
    return { data: { times } };
  };
  await shared.resultOf(first, events[0], execute);
  await shared.resultOf(second, events[1], execute);
  return times;
}

function sameEvent(): [unknown, unknown] {
  const event = {};
  return [event, event];
}

describe('a result', () => {
  const steady = operationOf('subscription ($from: Int) { steady(from: $from) { n } }');

  it('is made once of an event that several get, though the root field has a variable', async () => {
    expect(await executions(steady, steady)).toBe(1);
  });

  it('is made for each event, and for each document', async () => {
    expect(await executions(steady, steady, [{}, {}])).toBe(2);
    expect(await executions(steady, steady, [1, 1])).toBe(2);
    expect(await executions(steady, operationOf('subscription { steady { n } }'))).toBe(2);
  });

  it.each([
    'subscription { other { n } }',
    'subscription ($x: Int) { steady { many(first: $x) } }',
    'subscription ($x: Boolean!) { steady { n @include(if: $x) } }',
    'subscription ($x: Boolean!) { steady @skip(if: $x) { n } }',
    'subscription { steady { viewer { n } } }',
    'subscription { steady { ... on Update { a: viewer { n } } } }',
    'subscription ($x: Int) { steady { ...f } } fragment f on Update { many(first: $x) }',
  ])('is made for each subscriber of %s', async query => {
    const args = operationOf(query);
    expect(await executions(args, args)).toBe(2);
  });

  it('is made once for all who get the event before it is made', async () => {
    const shared = new SharedResults();
    const event = {};
    let times = 0;
    const execute = async () => {
      times += 1;
      await nextTurn();
      return { data: { times } };
    };
    const results = await Promise.all(Array.from({ length: 100 }, () => shared.resultOf(steady, event, execute)));
    expect(times).toBe(1);
    expect(new Set(results).size).toBe(1);
  });

  it('that fails is made again for each of those who wait for it', async () => {
    const shared = new SharedResults();
    const event = {};
    const failing = shared.resultOf(steady, event, async () => {
      await nextTurn();
      throw new Error('a failure');
    });
    const waiting = shared.resultOf(steady, event, async () => ({ data: { n: 2 } }));
    await expect(failing).rejects.toThrow('a failure');
    expect(await waiting).toEqual({ data: { n: 2 } });
  });

  it('with errors is not shared with other sockets', async () => {
    const shared = new SharedResults();
    const event = {};
    const failed = { errors: [] };
    await shared.resultOf(steady, event, async () => failed);
    expect(await shared.resultOf(steady, event, async () => ({ data: {} }))).toEqual({ data: {} });
  });
});

describe('updates of viewerFeatures', () => {
  const isShareable = (selection: string) =>
    createOperationFinder(createSchema())(parse(`subscription { viewerFeatures { ${selection} } }`), null)?.isShareable;

  it('are shared with all their ids, but not with their viewer', () => {
    expect(isShareable('revision snapshot features { id key enabled reason } featureMap removed removedIds')).toBe(
      true,
    );
    expect(isShareable('features { id } viewer { id }')).toBe(false);
  });

  it('lead each viewer to itself, though one update is handed to all', async () => {
    await using server = await startTestServer();
    await server.service.management.createFlag({ key: 'a', name: 'A' });
    const query = 'subscription { viewerFeatures { features { key } viewer { userId role featureMap } } }';
    await using user = await server.ws('user');
    await using visitor = await server.ws('anonymous');
    await using updates = user.subscribe(query);
    await using visits = visitor.subscribe(query);
    for (const stream of [updates, visits]) await stream.next();
    await server.service.management.updateFlag({ key: 'a', enabled: true });
    const update = { features: [{ key: 'a' }], viewer: { featureMap: { a: true } } };
    expect((await updates.next()).data?.viewerFeatures).toMatchObject({
      ...update,
      viewer: { userId: ann, role: 'USER' },
    });
    expect((await visits.next()).data?.viewerFeatures).toMatchObject({
      ...update,
      viewer: { userId: null, role: 'ANONYMOUS' },
    });
  });
});
