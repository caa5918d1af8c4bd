import type { ExecutionResult } from 'graphql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ann, bob, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';
import { settle } from '../support/wait.js';

let api: TestGraphQL;

beforeEach(async () => {
  api = await openGraphQL();
  await api.service.management.createFlag({
    key: 'beta',
    name: 'Beta',
    enabled: true,
    conditions: { groups: ['beta'] },
  });
});

afterEach(() => api.close());

/** A running subscription of the schema. */
async function open(source: string, variables?: object, caller?: (typeof callers)[keyof typeof callers]) {
  const stream = await api.watch(source, variables, caller);
  if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream.errors));
  const next = async () => (await stream.next()).value.data;
  return { next, end: () => stream.return(undefined) };
}

async function refused(source: string, caller: (typeof callers)[keyof typeof callers]) {
  const answer = (await api.watch(source, {}, caller)) as ExecutionResult;
  return answer.errors?.[0]?.extensions['code'];
}

const viewer =
  'subscription { viewerFeatures { revision snapshot features { key enabled reason } featureMap removed } }';

const featureId = (key: string) => Buffer.from(`Feature:${key}`).toString('base64');

describe('viewerFeatures', () => {
  it('sends all answers, then those that change for this viewer', async () => {
    const stream = await open(viewer, {}, callers.user);
    expect(await stream.next()).toEqual({
      viewerFeatures: {
        revision: 1,
        snapshot: true,
        features: [{ key: 'beta', enabled: false, reason: 'CONDITIONS_NOT_MET' }],
        featureMap: { beta: false },
        removed: [],
      },
    });
    const next = stream.next();
    await api.service.management.addToGroup({ group: 'beta', userIds: [bob] });
    await api.service.management.addToGroup({ group: 'beta', userIds: [ann] });
    expect(await next).toEqual({
      viewerFeatures: {
        revision: 3,
        snapshot: false,
        features: [{ key: 'beta', enabled: true, reason: 'CONDITIONS_MET' }],
        featureMap: { beta: true },
        removed: [],
      },
    });
    await stream.end();
  });

  it('receives changes that another program makes in SQL', async () => {
    const stream = await open(viewer, {}, callers.anonymous);
    await stream.next();
    const next = stream.next();
    await api.database.prisma.$executeRaw`UPDATE feature_flags SET conditions = '{}'`;
    expect((await next).viewerFeatures.featureMap).toEqual({ beta: true });
    await stream.end();
  });

  it("overlays the token's attributes over the stored ones", async () => {
    const { management } = api.service;
    await management.createFlag({
      key: 'pro',
      name: 'P',
      enabled: true,
      conditions: { attributes: { plan: 'pro', eu: true } },
    });
    await management.setUserAttributes({ userId: ann, attributes: { plan: 'free', eu: true } });
    const stream = await open('subscription { viewerFeatures(keys: ["pro"]) { featureMap } }', {}, {
      ...callers.user,
      attributes: { plan: 'pro' },
    } as never);
    expect(await stream.next()).toEqual({ viewerFeatures: { featureMap: { pro: true } } });
    const next = stream.next();
    await management.setUserAttributes({ userId: ann, attributes: { plan: 'pro', eu: false } });
    expect(await next).toEqual({ viewerFeatures: { featureMap: { pro: false } } });
    await stream.end();
  });
});

describe('an update for a client cache', () => {
  it('is evaluated for its viewer only where the viewer is asked for, without reading anything', async () => {
    await api.close();
    let evaluations = 0;
    const count = () => {
      evaluations += 1;
    };
    const observer = { seesEveryAnswer: false, onEvaluated: count, onEvaluatedAll: count, onPushed: () => {} };
    // Every other evaluation reads the log and the user first.
    api = await openGraphQL({ observers: [observer], cacheTtl: 0 });
    await api.service.management.createFlag({ key: 'all', name: 'All' });
    const plain = await open('subscription { viewerFeatures { features { id } removedIds } }', {}, callers.user);
    const whole = await open('subscription { viewerFeatures { viewer { featureMap } } }', {}, callers.user);
    await plain.next();
    expect(evaluations).toBe(0);
    expect(await api.countQueries(() => whole.next())).toBeGreaterThan(0);
    const updates = [plain.next(), whole.next()] as const;
    await api.service.management.updateFlag({ key: 'all', enabled: true });
    await updates[0];
    expect(await api.countQueries(() => updates[1])).toBe(0);
    expect((await updates[1]).viewerFeatures.viewer.featureMap).toEqual({ all: true });
    expect(evaluations).toBe(2);
    await plain.end();
    await whole.end();
  });

  it('has the ids that queries have, and those of deleted flags', async () => {
    const { viewer: known } = await api.data('{ viewer { id features { id } } }', {}, callers.user);
    const stream = await open(
      'subscription { viewerFeatures { features { id } removed removedIds viewer { id } } }',
      {},
      callers.user,
    );
    const { features } = known;
    expect((await stream.next()).viewerFeatures).toEqual({
      features,
      removed: [],
      removedIds: [],
      viewer: { id: known.id },
    });
    const next = stream.next();
    await api.service.management.deleteFlag({ key: 'beta' });
    expect((await next).viewerFeatures).toMatchObject({
      features: [],
      removed: ['beta'],
      removedIds: [featureId('beta')],
    });
    await stream.end();
  });

  it('has the whole viewer where it is asked for, whatever keys are watched, each viewer its own', async () => {
    const { management } = api.service;
    await management.createFlag({ key: 'all', name: 'All' });
    const query = `subscription { viewerFeatures(keys: ["all"]) { revision featureMap
      viewer { userId groups revision featureMap features { id enabled } isEnabled(key: "nope", default: true) } } }`;
    const streams = await Promise.all([open(query, {}, callers.user), open(query, {}, callers.anonymous)]);
    for (const stream of streams) await stream.next();
    await management.addToGroup({ group: 'beta', userIds: [ann] });
    const updates = Promise.all(streams.map(stream => stream.next()));
    await management.updateFlag({ key: 'all', enabled: true });
    const state = (beta: boolean) => ({
      revision: 4,
      featureMap: { all: true, beta },
      features: [
        { id: featureId('all'), enabled: true },
        { id: featureId('beta'), enabled: beta },
      ],
      isEnabled: true,
    });
    expect(await updates).toEqual([
      {
        viewerFeatures: {
          revision: 4,
          featureMap: { all: true },
          viewer: { userId: ann, groups: ['beta'], ...state(true) },
        },
      },
      {
        viewerFeatures: {
          revision: 4,
          featureMap: { all: true },
          viewer: { userId: null, groups: [], ...state(false) },
        },
      },
    ]);
    for (const stream of streams) await stream.end();
  });
});

it('isEnabled sends the boolean, and again only when the boolean changes', async () => {
  const stream = await open('subscription { isEnabled(key: "new", default: true) }', {}, callers.user);
  expect(await stream.next()).toEqual({ isEnabled: true });
  const next = stream.next();
  await api.service.management.createFlag({ key: 'new', name: 'New', enabled: true });
  await settle();
  await api.service.management.updateFlag({ key: 'new', percentage: 0 });
  expect(await next).toEqual({ isEnabled: false });
  await stream.end();
});

it('evaluations follows a context that the caller states', async () => {
  const stream = await open(
    'subscription($c: EvaluationContextInput!) { evaluations(context: $c) { featureMap } }',
    { c: { userId: ann.toUpperCase() } },
    callers.service,
  );
  expect(await stream.next()).toEqual({ evaluations: { featureMap: { beta: false } } });
  const next = stream.next();
  await api.service.management.setOverride({ userId: ann, flagKey: 'beta', enabled: true });
  expect(await next).toEqual({ evaluations: { featureMap: { beta: true } } });
  await stream.end();
});

describe('a caller that may not subscribe gets an error at once, and nothing is left behind', () => {
  it.each([
    ['changes', 'subscription { changes { revision } }', callers.anonymous, 'UNAUTHENTICATED'],
    ['changes', 'subscription { changes { revision } }', callers.service, 'FORBIDDEN'],
    ['evaluations', 'subscription { evaluations(context: {}) { revision } }', callers.user, 'FORBIDDEN'],
  ])('%s', async (_field, source, caller, code) => {
    expect(await refused(source, caller)).toBe(code);
    expect(api.service.status.subscribers).toBe(0);
  });

  it('anonymous viewers where the server does not allow them', async () => {
    await api.close();
    api = await openGraphQL({ allowAnonymous: false });
    expect(await refused(viewer, callers.anonymous)).toBe('UNAUTHENTICATED');
    expect((await api.run('{ viewer { role } }', {}, callers.anonymous)).errors?.[0]?.extensions['code']).toBe(
      'UNAUTHENTICATED',
    );
  });
});
