import { afterEach, describe, expect, it } from 'vitest';
import type { ChangePage } from '../../src/backends/backend.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { UnavailableError } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { type Applied, Replica } from '../../src/features/replica.js';
import { controlled } from '../support/controlled-backend.js';
import { newFlag } from '../support/flags.js';
import { until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const flag = (key: string) => newFlag(key, { enabled: true });

let replicas: Replica[] = [];

afterEach(async () => {
  await Promise.all(replicas.map(replica => replica.close()));
  replicas = [];
});

async function start({ maxAge = 60_000, pollInterval = 3_600_000, patience = 500 } = {}) {
  const store = new MemoryBackend();
  await store.createFlag(flag('a'), null);
  const backend = controlled(store);
  const warnings: object[] = [];
  const log = { ...silentLog, warn: (details: object) => warnings.push(details) };
  const replica = await Replica.open({ backend, log, maxAge, pollInterval, patience });
  replicas.push(replica);
  const applied: Applied[] = [];
  replica.onApplied(stretch => applied.push(stretch));
  return { store, backend, replica, applied, warnings };
}

describe('the replica', () => {
  it('begins with all definitions at the head of the log', async () => {
    const { replica } = await start();
    expect(replica.snapshot.revision).toBe(1);
    expect(replica.snapshot.get('a')?.key).toBe('a');
  });

  it('applies the changes that a hint announces, and reports the touched users', async () => {
    const { replica, store, applied } = await start();
    await store.createFlag(flag('b'), null);
    await store.addToGroup('beta', [ann], null);
    await until(() => replica.snapshot.revision === 3, 'revision 3 is applied');
    expect(applied.flatMap(({ flags }) => [...flags])).toEqual(['b']);
    expect(applied.flatMap(({ stretch }) => stretch?.changes.map(({ revision }) => revision))).toEqual([2, 3]);
    expect(applied.flatMap(({ userIds }) => [...(userIds ?? [])])).toEqual([ann]);
  });

  it('keeps an older snapshot as it was', async () => {
    const { replica, store } = await start();
    const before = replica.snapshot;
    await store.deleteFlag('a', null);
    await replica.read();
    expect(before.get('a')).toBeDefined();
    expect(replica.snapshot.get('a')).toBeUndefined();
  });

  it('finds changes without a hint by reading now and then', async () => {
    const { replica, store, backend } = await start({ pollInterval: 20 });
    backend.loseHints();
    await store.createFlag(flag('b'), null);
    await until(() => replica.snapshot.get('b') !== undefined, 'the flag is known');
  });

  it('reads again before an answer once its knowledge is too old, and not before', async () => {
    const { replica, store, backend } = await start({ maxAge: 30 });
    backend.loseHints();
    await store.createFlag(flag('b'), null);
    await until(() => replica.age > 30, 'the last read is too old');
    await replica.refresh();
    expect(replica.snapshot.get('b')).toBeDefined();
    expect(replica.age).toBeLessThan(30_000);
    const fresh = await start();
    expect(fresh.replica.refresh()).toBeUndefined();
  });

  it('with a TTL of 0 reads before each answer', async () => {
    const { replica, backend } = await start({ maxAge: 0 });
    const before = backend.count('changes');
    await replica.refresh();
    await replica.refresh();
    expect(backend.count('changes') - before).toBe(2);
  });

  it('answers from memory when the log cannot be read, and says how old that is', async () => {
    const { replica, backend, warnings } = await start({ maxAge: 0 });
    backend.fail('changes', new UnavailableError());
    const { age } = replica;
    await replica.refresh();
    expect(replica.snapshot.get('a')).toBeDefined();
    expect(replica.age).toBeGreaterThanOrEqual(age);
    expect(warnings).toHaveLength(1);
  });

  it('makes an answer wait for a read that hangs only briefly, and none after it', async () => {
    const { replica, backend, store } = await start({ maxAge: 0, patience: 50 });
    const release = backend.hold('changes');
    await store.createFlag(flag('b'), null);
    const begin = performance.now();
    await replica.refresh();
    expect(performance.now() - begin).toBeGreaterThanOrEqual(45);
    expect(replica.snapshot.get('b')).toBeUndefined();
    expect(replica.refresh()).toBeUndefined();
    expect(replica.problem).toMatch(/unanswered/);
    release();
    await until(() => replica.problem === null, 'the log is read again');
    await replica.refresh();
    expect(replica.snapshot.get('b')).toBeDefined();
  });

  it('lets no caller wait while the log is away, tries by itself, and warns once', async () => {
    const { replica, store, backend, warnings } = await start({ maxAge: 0 });
    backend.loseHints();
    const heal = backend.fail('changes', new UnavailableError('It is away.'));
    await replica.refresh();
    const tries = backend.count('changes');
    for (let i = 0; i < 100; i += 1) expect(replica.refresh()).toBeUndefined();
    expect(backend.count('changes')).toBe(tries);
    expect(replica.problem).toBe('It is away.');
    await until(() => backend.count('changes') >= tries + 2, 'it has tried again twice');
    expect(warnings).toHaveLength(1);
    heal();
    await store.createFlag(flag('b'), null);
    await until(() => replica.snapshot.get('b') !== undefined, 'it has caught up');
    expect(replica.problem).toBeNull();
  });

  it('reads a log of many pages to its end', async () => {
    const { replica, store, backend } = await start();
    backend.loseHints();
    for (let i = 0; i < 2_500; i += 1) await store.updateFlag('a', { enabled: i % 2 === 1 }, null, null);
    await replica.read();
    expect(replica.snapshot.revision).toBe(2_501);
  });

  it('shares one read among all callers that come while another is under way', async () => {
    const { replica, backend } = await start();
    const release = backend.hold('changes');
    const first = replica.read();
    const before = backend.count('changes');
    const rest = [replica.read(), replica.read(), replica.read()];
    release();
    await Promise.all([first, ...rest]);
    expect(backend.count('changes') - before).toBe(1);
  });

  it('sees in a read all changes written before it was asked for, also while another is under way', async () => {
    const { replica, store, backend } = await start();
    backend.loseHints();
    const release = backend.hold('changes');
    const first = replica.read();
    const { revision } = await store.createFlag(flag('b'), null);
    const reached = replica.reach(revision);
    release();
    await Promise.all([first, reached]);
    expect(replica.snapshot.revision).toBe(revision);
  });
});

describe('the replica reloads everything', () => {
  it('when a table was emptied', async () => {
    const { replica, store, applied } = await start();
    store.clear();
    await until(() => replica.snapshot.flags.length === 0, 'no flag is left');
    expect(applied.at(-1)?.userIds).toBeNull();
    expect([...(applied.at(-1)?.flags ?? [])]).toEqual(['a']);
    expect(applied.at(-1)?.stretch).toBeNull();
  });

  it.each<[string, (page: ChangePage) => ChangePage]>([
    ['the database is another one', page => ({ ...page, epoch: 'another' })],
    ['the log ends before its own place', page => ({ ...page, head: 0, changes: [] })],
    ['its last entry is another one', page => ({ ...page, nonce: 'another' })],
    ['its last entry is not there', page => ({ ...page, nonce: null })],
    ['the log was pruned past its place', page => ({ ...page, changes: page.changes.slice(1) })],
    ['all that follows was pruned', page => ({ ...page, changes: [] })],
  ])('when %s', async (_why, tamper) => {
    const { replica, store, backend, applied } = await start();
    backend.loseHints();
    await store.createFlag(flag('b'), null);
    await store.createFlag(flag('c'), null);
    const read = store.changes.bind(store);
    store.changes = async (after, limit) => tamper(await read(after, limit));
    const reloads = backend.count('definitions');
    await replica.read();
    expect(backend.count('definitions') - reloads).toBe(1);
    expect(replica.snapshot.get('c')).toBeDefined();
    expect(applied.at(-1)?.userIds).toBeNull();
  });
});

it('tells of stored conditions that are not valid, and they never match', async () => {
  const { replica, store, warnings } = await start();
  await store.createFlag({ ...flag('bad'), conditions: { like: 'x' } }, null);
  await until(() => replica.snapshot.get('bad') !== undefined, 'the flag is known');
  expect(warnings).toMatchObject([{ flag: 'bad', faults: [{ path: ['conditions', 'like'] }] }]);
});
