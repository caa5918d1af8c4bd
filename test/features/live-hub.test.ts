import { afterEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { UnavailableError } from '../../src/core/errors.js';
import { FeatureService, type FeatureServiceOptions } from '../../src/features/service.js';
import type { FeaturesUpdate } from '../../src/features/subscriber.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';
import { newFlag } from '../support/flags.js';
import { settle, until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bob = '00000000-0000-4000-8000-000000000001';

let services: FeatureService[] = [];

afterEach(async () => {
  await Promise.all(services.map(service => service.close()));
  services = [];
});

async function start(options: Partial<FeatureServiceOptions> = {}) {
  const store = new MemoryBackend();
  const backend: ControlledBackend = controlled(store);
  const service = await FeatureService.open({ backend, ...options });
  services.push(service);
  return { store, backend, service, manage: service.management };
}

/** Collects what a subscription hands over. */
function watch(updates: AsyncIterableIterator<FeaturesUpdate>) {
  const seen: FeaturesUpdate[] = [];
  let isDone = false;
  let failure: unknown;
  const finished = (async () => {
    for await (const update of updates) seen.push(update);
    isDone = true;
  })().catch(error => {
    failure = error;
  });
  return {
    seen,
    finished,
    get isDone() {
      return isDone;
    },
    get failure() {
      return failure;
    },
    async count(n: number) {
      await until(() => seen.length >= n, `${n} updates have come (there are ${seen.length})`);
      return seen[n - 1] as FeaturesUpdate;
    },
  };
}

const answers = (update: FeaturesUpdate) => Object.fromEntries(update.features.map(f => [f.key, f.reason]));

describe('a subscriber', () => {
  it('is neither evaluated again nor told when only the name and the labels of a flag change', async () => {
    let asked = 0;
    const now = () => {
      asked += 1;
      return Date.now();
    };
    const { service, manage } = await start({ now });
    await manage.createFlag({ key: 'a', name: 'A', enabled: true });
    const viewers = [watch(service.subscribe({ userId: ann })), watch(service.subscribe({}, { keys: ['a'] }))];
    for (const viewer of viewers) await viewer.count(1);
    await settle();
    const before = asked;
    const changes = service.changes({});
    const heard = changes.next();
    await manage.updateFlag({ key: 'a', tags: ['web'], owner: 'payments', expectedUntil: new Date(0) });
    await manage.updateFlag({ key: 'a', name: 'B' });
    expect(await heard).toMatchObject({ value: { flagKey: 'a', kind: 'FLAG_UPDATED' } });
    await changes.return?.();
    await settle();
    expect(asked).toBe(before);
    // The next change of the answer is the next update.
    await manage.updateFlag({ key: 'a', enabled: false, tags: [] });
    for (const viewer of viewers) {
      expect(await viewer.count(2)).toMatchObject({ revision: 4, snapshot: false });
      expect(viewer.seen).toHaveLength(2);
    }
  });

  it('is first handed the whole set, at the revision it stands on', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'b', name: 'B', enabled: true });
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = watch(service.subscribe({ userId: ann }));

    const first = await viewer.count(1);
    expect(first).toEqual({
      revision: 2,
      snapshot: true,
      features: [
        { key: 'a', enabled: false, reason: 'DISABLED', type: 'BOOLEAN', variant: 'off', value: false, rule: null },
        { key: 'b', enabled: true, reason: 'ENABLED', type: 'BOOLEAN', variant: 'on', value: true, rule: null },
      ],
      removed: [],
    });
  });

  it('is handed an empty whole set when there are no flags', async () => {
    const { service } = await start();
    expect(await watch(service.subscribe({})).count(1)).toEqual({
      revision: 0,
      snapshot: true,
      features: [],
      removed: [],
    });
  });

  it.each<[string, (manage: Awaited<ReturnType<typeof start>>['manage']) => Promise<unknown>, object]>([
    ['a flag turned on', m => m.updateFlag({ key: 'off', enabled: true }), { off: 'ENABLED' }],
    ['a flag created', m => m.createFlag({ key: 'new', name: 'New' }), { new: 'DISABLED' }],
    ['a rollout narrowed', m => m.updateFlag({ key: 'on', percentage: 0 }), { on: 'OUTSIDE_ROLLOUT' }],
    ['an override set', m => m.setOverride({ userId: ann, flagKey: 'on', enabled: false }), { on: 'OVERRIDE' }],
    ['a group joined', m => m.addToGroup({ group: 'beta', userIds: [ann, bob] }), { beta: 'CONDITIONS_MET' }],
    [
      'attributes set',
      m => m.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } }),
      { pro: 'CONDITIONS_MET' },
    ],
  ])('is handed only what changed: %s', async (_what, change, expected) => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'off', name: 'Off' });
    await manage.createFlag({ key: 'on', name: 'On', enabled: true });
    await manage.createFlag({ key: 'beta', name: 'Beta', enabled: true, conditions: { groups: ['beta'] } });
    await manage.createFlag({ key: 'pro', name: 'Pro', enabled: true, conditions: { attributes: { plan: 'pro' } } });
    const viewer = watch(service.subscribe({ userId: ann }));
    await viewer.count(1);

    await change(manage);
    const update = await viewer.count(2);
    expect(answers(update)).toEqual(expected);
    expect(update).toMatchObject({ revision: 5, snapshot: false, removed: [] });
    await settle();
    expect(viewer.seen).toHaveLength(2);
  });

  it('receives the keys of deleted flags', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = watch(service.subscribe({}));
    await viewer.count(1);
    await manage.deleteFlag({ key: 'a' });
    expect(await viewer.count(2)).toMatchObject({ features: [], removed: ['a'] });
  });

  it('is handed nothing when nothing of its own changed', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A', percentage: 10 });
    const viewer = watch(service.subscribe({ userId: ann }));
    await viewer.count(1);
    await manage.updateFlag({ key: 'a', name: 'Another name' });
    await manage.updateFlag({ key: 'a', percentage: 20 });
    await manage.setOverride({ userId: bob, flagKey: 'a', enabled: true });
    await manage.addToGroup({ group: 'beta', userIds: [ann] });
    await settle();
    expect(viewer.seen).toHaveLength(1);
  });

  it('that names keys is answered for those alone, in their order, missing ones too', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A', enabled: true });
    await manage.createFlag({ key: 'c', name: 'C', enabled: true });
    const viewer = watch(service.subscribe({}, { keys: ['missing', 'a'] }));
    expect((await viewer.count(1)).features.map(f => `${f.key} ${f.reason}`)).toEqual([
      'missing FLAG_NOT_FOUND',
      'a ENABLED',
    ]);
    await manage.updateFlag({ key: 'c', enabled: false });
    await manage.deleteFlag({ key: 'a' });
    const second = await viewer.count(2);
    expect(answers(second)).toEqual({ a: 'FLAG_NOT_FOUND' });
    expect(second.removed).toEqual([]);
  });

  it('that is slow gets one difference over all that happened meanwhile', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.createFlag({ key: 'b', name: 'B' });
    const updates = service.subscribe({});
    await updates.next();
    for (let i = 0; i < 50; i += 1) await manage.updateFlag({ key: 'a', enabled: i % 2 === 0 });
    await manage.updateFlag({ key: 'b', enabled: true });
    await manage.createFlag({ key: 'c', name: 'C' });
    await manage.deleteFlag({ key: 'c' });

    const { value } = await updates.next();
    expect(answers(value)).toEqual({ b: 'ENABLED' });
    expect(value.removed).toEqual([]);
    expect(value.revision).toBe(service.status.revision);
  });

  it('that asks twice at once gets two different updates', async () => {
    const { service, manage } = await start();
    const updates = service.subscribe({});
    await updates.next();
    const [second, third] = [updates.next(), updates.next()];
    await manage.createFlag({ key: 'a', name: 'A' });
    expect(answers((await second).value)).toEqual({ a: 'DISABLED' });
    await manage.createFlag({ key: 'b', name: 'B' });
    expect(answers((await third).value)).toEqual({ b: 'DISABLED' });
  });

  it('never sees a user as they were before a change that came while they were loaded', async () => {
    const { service, manage, backend } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    const release = backend.hold('targeting');
    const viewer = watch(service.subscribe({ userId: ann }));
    await until(() => backend.count('targeting') === 1, 'the user is being loaded');
    const write = manage.setOverride({ userId: ann, flagKey: 'a', enabled: true });
    await write;
    release();
    expect(answers(await viewer.count(1))).toEqual({ a: 'OVERRIDE' });
  });

  it('is handed nothing older than `sinceRevision`: the log is read up to it first', async () => {
    const { service, store, backend } = await start({ pollInterval: 3_600_000 });
    backend.loseHints();
    await store.createFlag(newFlag('a', { enabled: true }), null);
    expect(service.status.revision).toBe(0);
    const viewer = watch(service.subscribe({}, { sinceRevision: 1 }));
    expect(await viewer.count(1)).toMatchObject({ revision: 1 });
  });

  it('that comes from another history, such as before a restore, is handed the whole set', async () => {
    const { service } = await start();
    expect(await watch(service.subscribe({}, { sinceRevision: 7 })).count(1)).toMatchObject({
      revision: 0,
      snapshot: true,
    });
  });

  it('that asks for a revision which cannot be read now is refused rather than taken back in time', async () => {
    const { service, backend } = await start();
    backend.fail('changes', new UnavailableError());
    const viewer = watch(service.subscribe({}, { sinceRevision: 7 }));
    await viewer.finished;
    expect(viewer.failure).toBeInstanceOf(UnavailableError);
  });

  it('whose user cannot be loaded gets the error and is removed', async () => {
    const { service, backend } = await start();
    backend.fail('targeting', new UnavailableError());
    const viewer = watch(service.subscribe({ userId: ann }));
    await viewer.finished;
    expect(viewer.failure).toBeInstanceOf(UnavailableError);
    expect(service.status.subscribers).toBe(0);
  });

  it('keeps its last answers while its user cannot be loaded again, and catches up afterwards', async () => {
    const { service, manage, backend } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = watch(service.subscribe({ userId: ann }));
    await viewer.count(1);
    const heal = backend.fail('targeting', new UnavailableError());
    await manage.setOverride({ userId: ann, flagKey: 'a', enabled: true });
    await until(() => backend.count('targeting') >= 2, 'the user was asked for again');
    expect(viewer.seen).toHaveLength(1);
    heal();
    expect(answers(await viewer.count(2))).toEqual({ a: 'OVERRIDE' });
  });
});

describe('an override that expires', () => {
  it('is handed over when it expires, at the revision that stands', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.setOverride({ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date(Date.now() + 150) });
    const viewer = watch(service.subscribe({ userId: ann }));
    expect(answers(await viewer.count(1))).toEqual({ a: 'OVERRIDE' });
    const update = await viewer.count(2);
    expect(answers(update)).toEqual({ a: 'DISABLED' });
    expect(update.revision).toBe(2);
  });

  it('is handed over with a change of another flag that comes before its timer', async () => {
    let ahead = 0;
    const { service, manage } = await start({ now: () => Date.now() + ahead });
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.createFlag({ key: 'b', name: 'B' });
    await manage.setOverride({ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date(Date.now() + 3_600_000) });
    const updates = watch(service.subscribe({ userId: ann }));
    expect(answers(await updates.count(1))).toEqual({ a: 'OVERRIDE', b: 'DISABLED' });
    ahead = 3_600_000;
    await manage.updateFlag({ key: 'b', enabled: true });
    expect(answers(await updates.count(2))).toEqual({ a: 'DISABLED', b: 'ENABLED' });
  });

  it('is handed over soon where the clock is set forward past it', async () => {
    let ahead = 0;
    const { service, manage } = await start({ now: () => Date.now() + ahead });
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.setOverride({ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date(Date.now() + 3_600_000) });
    const updates = watch(service.subscribe({ userId: ann }));
    expect(answers(await updates.count(1))).toEqual({ a: 'OVERRIDE' });
    ahead = 3_600_000;
    expect(answers(await updates.count(2))).toEqual({ a: 'DISABLED' });
  });

  it('further away than a timer reaches does not expire at once', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.setOverride({ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date(Date.now() + 2 ** 32) });
    const viewer = watch(service.subscribe({ userId: ann }));
    await viewer.count(1);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(viewer.seen).toHaveLength(1);
  });
});

describe('leaving', () => {
  it('releases everything at once, also while waiting', async () => {
    const { service } = await start();
    const updates = service.subscribe({ userId: ann });
    await updates.next();
    const waiting = updates.next();
    await settle();
    await updates.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(service.status.subscribers).toBe(0);
    expect(await updates.next()).toEqual({ done: true, value: undefined });
  });

  it('before the first answer leaves nothing behind', async () => {
    const { service, backend } = await start();
    const release = backend.hold('targeting');
    const updates = service.subscribe({ userId: ann });
    const first = updates.next();
    await until(() => backend.count('targeting') === 1, 'the user is being loaded');
    await updates.return?.();
    expect(await first).toEqual({ done: true, value: undefined });
    release();
    await settle();
    expect(service.status.subscribers).toBe(0);
  });

  it('10,000 times leaves the heap as it was', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    const cycle = async (times: number) => {
      for (let i = 0; i < times; i += 1) {
        const updates = service.subscribe({ userId: ann });
        await updates.next();
        void updates.next();
        await updates.return?.();
      }
    };
    await cycle(500);
    expect(service.status.subscribers).toBe(0);
    const collect = globalThis.gc;
    collect?.();
    const before = process.memoryUsage().heapUsed;
    await cycle(10_000);
    collect?.();
    expect(service.status.subscribers).toBe(0);
    // Without a collector to call, only the count is proof.
    if (collect !== undefined) expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
  });

  it('happens to every subscriber when the service closes', async () => {
    const { service } = await start();
    const viewer = watch(service.subscribe({}));
    await viewer.count(1);
    const changes = service.changes({});
    const waiting = changes.next();
    await service.close();
    await viewer.finished;
    expect(viewer.isDone).toBe(true);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await service.subscribe({}).next()).toEqual({ done: true, value: undefined });
  });
});

describe('many subscribers', () => {
  it('whose users a change touches are loaded together', async () => {
    const { service, manage, backend } = await start();
    await manage.createFlag({ key: 'beta', name: 'Beta', enabled: true, conditions: { groups: ['beta'] } });
    const ids = Array.from({ length: 1_000 }, (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`);
    const viewers = ids.map(userId => watch(service.subscribe({ userId })));
    await Promise.all(viewers.map(viewer => viewer.count(1)));
    const before = backend.count('targeting');
    await manage.addToGroup({ group: 'beta', userIds: ids });
    for (const viewer of viewers) expect(answers(await viewer.count(2))).toEqual({ beta: 'CONDITIONS_MET' });
    expect(backend.count('targeting') - before).toBeLessThanOrEqual(20);
  });
});

describe('a listener for changed flags', () => {
  it('is told once of all that was applied at once, until it is stopped', async () => {
    const { service, manage } = await start();
    const told: (readonly string[])[] = [];
    const stop = service.onFlagsChanged(keys => told.push(keys));
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.addToGroup({ group: 'beta', userIds: [ann] });
    await Promise.all([manage.updateFlag({ key: 'a', enabled: true }), manage.createFlag({ key: 'b', name: 'B' })]);
    expect(told[0]).toEqual(['a']);
    expect(new Set(told.flat())).toEqual(new Set(['a', 'b']));
    const before = told.length;
    stop();
    await manage.deleteFlag({ key: 'a' });
    expect(told).toHaveLength(before);
  });
});

describe('an observer', () => {
  it('is told of each update handed over and how long it took, and of every answer', async () => {
    const pushes: { update: FeaturesUpdate; delay: number }[] = [];
    const answered: string[] = [];
    const { service, manage } = await start({
      observers: [
        {
          seesEveryAnswer: false,
          onEvaluated: ({ key }) => answered.push(key),
          onEvaluatedAll: evaluations => answered.push(`all ${evaluations.length}`),
          onPushed: (update, _subject, delay) => pushes.push({ update, delay }),
        },
      ],
    });
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = watch(service.subscribe({ userId: ann }));
    await viewer.count(1);
    const startedAt = performance.now();
    await manage.updateFlag({ key: 'a', enabled: true });
    await manage.updateFlag({ key: 'a', name: 'Another' });
    await viewer.count(2);
    await settle();
    const elapsed = performance.now() - startedAt;
    expect(pushes.map(({ update }) => update)).toEqual(viewer.seen);
    for (const { delay } of pushes) expect(delay).toBeGreaterThan(0);
    expect(pushes[1]?.delay).toBeLessThan(elapsed);

    const evaluator = await service.evaluator({ userId: ann });
    evaluator.evaluate('a');
    evaluator.evaluateAll();
    evaluator.evaluateAll(['a', 'b', 'c']);
    expect(answered).toEqual(['a', 'all 1', 'all 3']);
  });
});

it('a service knows how many flags it has, how many of them are not valid, and how its cache does', async () => {
  const { service, manage, store } = await start();
  await manage.createFlag({ key: 'a', name: 'A' });
  const broken = { attributes: { plan: { neverHeardOf: 1 } } };
  await store.createFlag(newFlag('b', { enabled: true, conditions: broken }), null);
  await until(() => service.status.flags === 2, 'both are known');
  await service.evaluator({});
  await service.evaluator({ userId: ann });
  await service.evaluator({ userId: ann });
  await service.evaluator({ userId: bob });
  expect(service.status).toMatchObject({ invalidFlags: 1, cache: { users: 2, hits: 1, misses: 2 } });
});
