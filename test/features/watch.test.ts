import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type CreateFeaturesOptions,
  createFeatures,
  FeatureDisabledError,
  type Features,
  type FeaturesUpdate,
  type Log,
  MemoryBackend,
  UnavailableError,
} from '../../src/index.js';
import { controlled } from '../support/controlled-backend.js';
import { settle, until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bob = '00000000-0000-4000-8000-000000000001';

let opened: Features[] = [];

afterEach(async () => {
  await Promise.all(opened.map(features => features.close()));
  opened = [];
});

/** Features with `all`, on for everybody, and `beta`, on for Ann's group. */
async function start(options: Partial<CreateFeaturesOptions> = {}) {
  const store = new MemoryBackend();
  store.seed({
    flags: [
      { key: 'all', enabled: true },
      { key: 'beta', enabled: true, conditions: { groups: ['beta'] } },
    ],
    groups: { beta: [ann] },
  });
  const backend = controlled(store);
  const features = await createFeatures({ backend, ...options });
  opened.push(features);
  return { backend, features };
}

const states = ({ features }: FeaturesUpdate) => Object.fromEntries(features.map(({ key, enabled }) => [key, enabled]));

function recorder() {
  const seen: FeaturesUpdate[] = [];
  return {
    seen,
    listener: (update: FeaturesUpdate) => void seen.push(update),
    count: (n: number) => until(() => seen.length >= n, `${n} updates have come`),
  };
}

describe('a watch', () => {
  it('sends all answers of a user first, then those that differ, and nothing to users without a change', async () => {
    const { features } = await start();
    const [anns, bobs] = [recorder(), recorder()];
    features.watch({ id: ann }, anns.listener);
    features.watch({ id: bob }, bobs.listener);
    await Promise.all([anns.count(1), bobs.count(1)]);
    expect(anns.seen.map(update => [update.snapshot, states(update)])).toEqual([[true, { all: true, beta: true }]]);
    expect(bobs.seen.map(update => [update.snapshot, states(update)])).toEqual([[true, { all: true, beta: false }]]);

    await features.updateFlag({ key: 'beta', enabled: false });
    await Promise.all([anns.count(2), bobs.count(2)]);
    expect(anns.seen[1]).toMatchObject({ snapshot: false, removed: [], revision: features.status.revision });
    expect(states(anns.seen[1] as FeaturesUpdate)).toEqual({ beta: false });
    await features.deleteFlag({ key: 'all' });
    await Promise.all([anns.count(3), bobs.count(3)]);
    expect(anns.seen[2]).toMatchObject({ features: [], removed: ['all'] });
    // Bob's `beta` was off already; he is told of the other reason.
    expect(bobs.seen.map(states)).toEqual([{ all: true, beta: false }, { beta: false }, {}]);
  });

  it("counts the attributes that the caller gives, and follows the user's groups", async () => {
    const { features } = await start();
    const { seen, listener, count } = recorder();
    await features.createFlag({ key: 'pro', name: 'Pro', enabled: true, conditions: { attributes: { plan: 'pro' } } });
    features.watch({ id: bob, plan: 'pro' }, listener);
    await count(1);
    expect(states(seen[0] as FeaturesUpdate)).toEqual({ all: true, beta: false, pro: true });
    await features.addToGroup({ group: 'beta', userIds: [bob] });
    await count(2);
    expect(states(seen[1] as FeaturesUpdate)).toEqual({ beta: true });
  });

  it('of an anonymous user and of some keys reports only those keys, also one that does not exist', async () => {
    const { features } = await start();
    const { seen, listener, count } = recorder();
    features.watch(null, listener, { keys: ['later', 'beta'] });
    await count(1);
    expect(seen[0]?.features.map(({ key, reason }) => `${key} ${reason}`)).toEqual([
      'later FLAG_NOT_FOUND',
      'beta CONDITIONS_NOT_MET',
    ]);
    await features.updateFlag({ key: 'all', enabled: false });
    await features.createFlag({ key: 'later', name: 'Later', enabled: true });
    await count(2);
    expect(states(seen[1] as FeaturesUpdate)).toEqual({ later: true });
  });

  it.each<[string, (features: Features, listener: (update: FeaturesUpdate) => void) => () => unknown]>([
    ['its function', (features, listener) => features.watch(null, listener)],
    [
      'the end of a block',
      (features, listener) => {
        const stop = features.watch(null, listener);
        return () => stop[Symbol.dispose]();
      },
    ],
    [
      'a signal',
      (features, listener) => {
        const controller = new AbortController();
        features.watch(null, listener, { signal: controller.signal });
        return () => controller.abort();
      },
    ],
    [
      'closing the features',
      (features, listener) => {
        features.watch(null, listener);
        return () => features.close();
      },
    ],
  ])('is stopped by %s, at once', async (_what, watch) => {
    const { features, backend } = await start();
    const { seen, listener, count } = recorder();
    const stop = watch(features, listener);
    await count(1);
    expect(features.status.subscribers).toBe(1);
    // The change and the stop in one turn: what was already on its way is not told any more.
    const change = backend.updateFlag('all', { enabled: false }, null, null);
    await stop();
    await stop();
    await change;
    await settle();
    expect(seen).toHaveLength(1);
    expect(features.status.subscribers).toBe(0);
  });

  it('that is stopped while an update is on its way is not told of it', async () => {
    const { features } = await start();
    const { seen, listener, count } = recorder();
    let stop = () => {};
    const first = features.watch(null, ({ snapshot }) => snapshot || stop());
    stop = features.watch(null, listener);
    await count(1);
    await features.updateFlag({ key: 'all', enabled: false });
    await until(() => features.status.subscribers === 1, 'the first has stopped the second');
    await settle();
    expect(seen).toHaveLength(1);
    first();
  });

  it('that is stopped before it begins reports nothing', async () => {
    const { features } = await start();
    const { seen, listener } = recorder();
    features.watch(null, listener, { signal: AbortSignal.abort() });
    features.watch(null, listener)();
    await settle();
    expect(seen).toEqual([]);
    expect(features.status.subscribers).toBe(0);
  });

  it('may be stopped by its own listener, and leaves no listener on a signal', async () => {
    const { features } = await start();
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    let calls = 0;
    const stop = features.watch(
      null,
      () => {
        calls += 1;
        stop();
      },
      { signal },
    );
    await until(() => calls === 1, 'it is told');
    await features.updateFlag({ key: 'all', enabled: false });
    await settle();
    expect(calls).toBe(1);
    expect(removed).toHaveBeenCalled();
  });

  it('calls a slow listener once for all that changed meanwhile', async () => {
    const { features } = await start();
    const { seen, listener, count } = recorder();
    let release = () => {};
    features.watch(null, async update => {
      listener(update);
      if (seen.length === 1) await new Promise<void>(resolve => (release = resolve));
    });
    await count(1);
    for (let percentage = 1; percentage <= 50; percentage += 1) await features.updateFlag({ key: 'all', percentage });
    await features.updateFlag({ key: 'all', enabled: false });
    await settle();
    expect(seen).toHaveLength(1);
    release();
    await count(2);
    await settle();
    expect(seen.slice(1).map(update => update.features)).toMatchObject([
      [{ key: 'all', enabled: false, reason: 'DISABLED' }],
    ]);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ])('goes on when its listener %s, which is told to onError', async (_what, fail) => {
    const { features } = await start();
    const errors: unknown[] = [];
    const { seen, listener, count } = recorder();
    features.watch(
      null,
      update => {
        listener(update);
        return fail();
      },
      { onError: error => errors.push(error) },
    );
    await count(1);
    await features.updateFlag({ key: 'all', enabled: false });
    await count(2);
    await until(() => errors.length === 2, 'both are told');
    expect(errors).toEqual([new Error('mine'), new Error('mine')]);
    expect(seen).toHaveLength(2);
  });

  it('logs errors that have no other receiver, and errors of onError', async () => {
    const lines: object[] = [];
    const log: Log = { debug() {}, info() {}, warn() {}, error: details => lines.push(details) };
    const { features } = await start({ log });
    const listener = () => {
      throw new Error('mine');
    };
    features.watch(null, listener);
    await until(() => lines.length === 1, 'the first is logged');
    features.watch(null, listener, {
      onError: () => {
        throw new Error('theirs');
      },
    });
    await until(() => lines.length === 2, 'the second is logged');
    expect(lines).toEqual([{ err: new Error('mine') }, { err: new Error('theirs') }]);
  });

  it('without a log warns the process', async () => {
    const { features } = await start();
    const warned = new Promise<Error>(resolve => process.once('warning', resolve));
    features.watch(null, () => {
      throw new Error('a listener of a test, meant to be seen');
    });
    expect((await warned).message).toBe('a listener of a test, meant to be seen');
  });

  it('that begins in an outage says so and gets its answers when it is over', async () => {
    const { features, backend } = await start();
    const over = backend.fail('targeting', new UnavailableError());
    const errors: unknown[] = [];
    const { seen, listener, count } = recorder();
    features.watch({ id: ann }, listener, { onError: error => errors.push(error) });
    await until(() => errors.length > 0, 'the outage is told');
    expect(errors[0]).toBeInstanceOf(UnavailableError);
    expect(seen).toEqual([]);
    over();
    await count(1);
    expect(states(seen[0] as FeaturesUpdate)).toEqual({ all: true, beta: true });
  });

  it('of a user without an id is refused at once', async () => {
    const { features } = await start();
    expect(() => features.watch({} as never, () => {})).toThrow(TypeError);
  });
});

describe('updates', () => {
  it('are taken one after the other, and leaving releases everything', async () => {
    const { features } = await start();
    const taken: object[] = [];
    for await (const update of features.for({ id: ann }).updates({ keys: ['beta'] })) {
      taken.push(states(update));
      if (taken.length === 2) break;
      await features.updateFlag({ key: 'beta', enabled: false });
    }
    expect(taken).toEqual([{ beta: true }, { beta: false }]);
    expect(features.status.subscribers).toBe(0);
  });

  it('of an anonymous user are those of the features object, and end when it is closed', async () => {
    const { features } = await start();
    const taken: object[] = [];
    const finished = (async () => {
      for await (const update of features.updates()) taken.push(states(update));
    })();
    await until(() => taken.length === 1, 'the first is taken');
    await features.close();
    await finished;
    expect(taken).toEqual([{ all: true, beta: false }]);
  });

  it('throw when they begin in an outage', async () => {
    const { features, backend } = await start();
    backend.fail('targeting', new UnavailableError());
    await expect(features.for({ id: ann }).updates().next()).rejects.toThrow(UnavailableError);
  });
});

describe('to require a feature', () => {
  const rejection = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error: unknown) => error,
    );

  it('goes on where it is on, and throws the answer of a gate where it is off', async () => {
    const { features } = await start();
    await expect(features.for({ id: ann }).require('beta')).resolves.toBeUndefined();
    const error = await rejection(features.for({ id: bob }).require('beta'));
    expect(error).toBeInstanceOf(FeatureDisabledError);
    expect(error).toMatchObject({ key: 'beta', status: 404, redirectUrl: null, message: 'Not found.' });
    expect((error as Error).cause).toBeUndefined();
    expect(await rejection(features.require('nope', { status: 403, message: 'For members.' }))).toMatchObject({
      key: 'nope',
      status: 403,
      message: 'For members.',
    });
    expect(await rejection(features.require('beta', { redirectUrl: '/old' }))).toMatchObject({
      status: 302,
      redirectUrl: '/old',
    });
  });

  it('is closed in an outage, with its cause, unless told to be open', async () => {
    const { features, backend } = await start();
    const outage = new UnavailableError();
    backend.fail('targeting', outage);
    const user = features.for({ id: ann });
    const error = await rejection(user.require('beta', { status: 403 }));
    expect(error).toBeInstanceOf(FeatureDisabledError);
    expect(error).toMatchObject({ status: 403, cause: outage });
    await expect(user.require('beta', { whenUnknown: 'open' })).resolves.toBeUndefined();
  });

  it('throws on whatever else goes wrong, however it is to be closed', async () => {
    const { features, backend } = await start();
    backend.fail('targeting', new TypeError('a bug'));
    expect(await rejection(features.for({ id: ann }).require('beta', { whenUnknown: 'open' }))).toEqual(
      new TypeError('a bug'),
    );
  });
});

it('features are closed at the end of a block', async () => {
  const { features, backend } = await start();
  await features[Symbol.asyncDispose]();
  expect(backend.count('close')).toBe(1);
});
