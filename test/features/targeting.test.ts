import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { UnavailableError } from '../../src/core/errors.js';
import { TargetingCache } from '../../src/features/targeting.js';
import { controlled } from '../support/controlled-backend.js';
import { until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const ids = (n: number) =>
  Array.from({ length: n }, (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`);

async function start({ size = 10_000, alwaysRead = false, patience = 500 } = {}) {
  const store = new MemoryBackend();
  await store.addToGroup('beta', [ann], null);
  const backend = controlled(store);
  return { store, backend, cache: new TargetingCache({ backend, reach: async () => {}, size, alwaysRead, patience }) };
}

describe('targeting', () => {
  it.each([10, 1_000])('of %i users takes one query', async n => {
    const { backend, cache } = await start();
    await Promise.all(ids(n).map(id => cache.load(id)));
    expect(backend.count('targeting')).toBe(1);
  });

  it('of users who ask in separate turns of the promise queue is one query all the same', async () => {
    const { backend, cache } = await start();
    const later = async (id: string, turns: number) => {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      return cache.load(id);
    };
    await Promise.all(ids(50).map(later));
    expect(backend.count('targeting')).toBe(1);
  });

  it('is kept: a known user costs no query, also one of whom nothing is stored', async () => {
    const { backend, cache } = await start();
    expect((await cache.load(ann)).groups).toEqual(new Set(['beta']));
    await cache.load(ids(1)[0] as string);
    expect(cache.peek(ann)?.groups).toEqual(new Set(['beta']));
    expect(cache.peek(ids(1)[0] as string)?.groups).toEqual(new Set());
    await cache.load(ann);
    expect(backend.count('targeting')).toBe(2);
  });

  it('of one user asked for many times at once is one query', async () => {
    const { backend, cache } = await start();
    await Promise.all(Array.from({ length: 100 }, () => cache.load(ann)));
    expect(backend.count('targeting')).toBe(1);
  });

  it('of an anonymous user reads nothing', async () => {
    const { backend, cache } = await start();
    expect(cache.peek(null)?.groups.size).toBe(0);
    expect((await cache.load(null)).groups.size).toBe(0);
    expect(backend.count('targeting')).toBe(0);
  });

  it('keeps at most as many users as the limit', async () => {
    const { cache } = await start({ size: 10 });
    for (const id of ids(20)) await cache.load(id);
    expect(ids(20).filter(id => cache.peek(id) !== undefined)).toHaveLength(10);
  });

  it('that was read before a change and arrives after it is thrown away and read again', async () => {
    const { store, backend, cache } = await start();
    const release = backend.hold('targeting');
    const load = cache.load(ann);
    await until(() => backend.count('targeting') === 1, 'the load is under way');
    await store.removeFromGroup('beta', [ann], null);
    cache.forget(new Set([ann]));
    release();
    expect((await load).groups).toEqual(new Set());
    expect(cache.peek(ann)?.groups).toEqual(new Set());
    expect(backend.count('targeting')).toBe(2);
  });

  it('asked for after a change never joins a load from before it', async () => {
    const { store, backend, cache } = await start();
    const release = backend.hold('targeting');
    const early = cache.load(ann);
    await until(() => backend.count('targeting') === 1, 'the load is under way');
    await store.removeFromGroup('beta', [ann], null);
    cache.forget(null);
    const late = cache.load(ann);
    release();
    expect((await late).groups).toEqual(new Set());
    await early;
  });

  it('reaches all callers at once, also when fewer may be kept', async () => {
    const { backend, cache } = await start({ size: 1 });
    await Promise.all([...ids(100), ...ids(100)].map(id => cache.load(id)));
    expect(backend.count('targeting')).toBe(1);
  });

  it('that fails is not kept as a failure', async () => {
    const { backend, cache } = await start();
    const heal = backend.fail('targeting', new UnavailableError());
    await expect(cache.load(ann)).rejects.toBeInstanceOf(UnavailableError);
    heal();
    expect((await cache.load(ann)).groups).toEqual(new Set(['beta']));
  });
});

describe('targeting that is always read', () => {
  it('is read on each request', async () => {
    const { backend, cache } = await start({ alwaysRead: true });
    await cache.load(ann);
    expect(cache.peek(ann)).toBeUndefined();
    await cache.load(ann);
    expect(backend.count('targeting')).toBe(2);
  });

  it('answers with the last known state when the store is away, and rejects when nothing is known', async () => {
    const { backend, cache } = await start({ alwaysRead: true });
    await cache.load(ann);
    backend.fail('targeting', new UnavailableError());
    expect((await cache.load(ann)).groups).toEqual(new Set(['beta']));
    await expect(cache.load(ids(1)[0] as string)).rejects.toBeInstanceOf(UnavailableError);
  });

  it('answers with the last known state when a read hangs, and with a fresh one when it no longer does', async () => {
    const { store, backend, cache } = await start({ alwaysRead: true, patience: 30 });
    await cache.load(ann);
    const release = backend.hold('targeting');
    expect((await cache.load(ann)).groups).toEqual(new Set(['beta']));
    await store.addToGroup('gamma', [ann], null);
    release();
    await until(async () => (await cache.load(ann)).groups.has('gamma'), 'a fresh read has come');
  });

  it('does not answer with a state that a change has ended', async () => {
    const { backend, cache } = await start({ alwaysRead: true, patience: 30 });
    await cache.load(ann);
    backend.fail('targeting', new UnavailableError());
    cache.forget(new Set([ann]));
    await expect(cache.load(ann)).rejects.toBeInstanceOf(UnavailableError);
  });
});
