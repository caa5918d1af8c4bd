import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { ChangePage } from '../../src/backends/backend.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { RevisionNotFoundError, UnavailableError, ValidationError } from '../../src/core/errors.js';
import { createFeatures } from '../../src/create-features.js';
import type { Change, ChangesOptions } from '../../src/features/changes.js';
import { controlled } from '../support/controlled-backend.js';
import { newFlag } from '../support/flags.js';
import { settle, until } from '../support/wait.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start() {
  const store = new MemoryBackend();
  const backend = controlled(store);
  const features = await createFeatures({ backend, pollInterval: 3_600_000 });
  cleanups.push(() => features.close());
  return { store, backend, features };
}

const create = (store: MemoryBackend, key: string) => store.createFlag(newFlag(key), null);

/** The revisions that a reader gets, and whether it has ended. */
function read(changes: AsyncIterable<Change>) {
  const reader = { changes: [] as Change[], revisions: [] as number[], end: null as 'done' | unknown };
  void (async () => {
    try {
      for await (const change of changes) {
        reader.changes.push(change);
        reader.revisions.push(change.revision);
      }
      reader.end = 'done';
    } catch (error) {
      reader.end = error;
    }
  })();
  return reader;
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe('changes', () => {
  it('come from now on, with what is different, and the ids that users are known by', async () => {
    const { features } = await start();
    await features.createFlag({ key: 'old', name: 'Old' });
    const reader = read(features.changes());
    await features.updateFlag({ key: 'old', enabled: true }, { actor: 'idp|ann' });
    await features.addToGroup({ group: 'beta', userIds: ['idp|bob'] });
    await features.deleteUser({ userId: 'idp|bob' });
    await until(() => reader.changes.length === 4, 'four changes are told');
    expect(reader.changes).toMatchObject([
      {
        revision: 2,
        kind: 'FLAG_UPDATED',
        flagKey: 'old',
        actorId: 'idp|ann',
        userIds: [],
        group: null,
        note: null,
        reverts: null,
        differences: [{ path: ['enabled'], before: false, after: true }],
      },
      { kind: 'MEMBERS_ADDED', group: 'beta', differences: [] },
      { kind: 'USER_DELETED' },
      { kind: 'MEMBERS_REMOVED' },
    ]);
    expect(Object.keys(reader.changes[0] as Change)).not.toContain('nonce');
  });

  it('after a revision come first, without a gap and without a double where they meet those that follow', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(30), fc.nat(30), fc.array(fc.nat(3), { maxLength: 30 }), async (early, since, pauses) => {
        const { store, features } = await start();
        for (const number of upTo(early)) await create(store, `early-${number}`);
        const from = Math.min(since, early);
        const reader = read(features.changes({ since: from }));
        for (const [number, pause] of pauses.entries()) {
          await settle(pause);
          await create(store, `late-${number}`);
        }
        const all = upTo(early + pauses.length).slice(from);
        await until(() => reader.revisions.length >= all.length, 'all are told');
        await settle(3);
        expect(reader.revisions).toEqual(all);
        await features.close();
      }),
      { numRuns: 30 },
    );
  });

  it('are known to answers when they are told', async () => {
    const { store, features, backend } = await start();
    await create(store, 'a');
    await features.isEnabled('a');
    backend.loseHints();
    await create(store, 'b');
    const { value } = await features.changes({ since: 1 }).next();
    expect(value.flagKey).toBe('b');
    expect(features.status.revision).toBe(2);
  });

  it('of one part of the log are read once for all who wait, and by the replica at that', async () => {
    const { store, features, backend } = await start();
    const readers = upTo(50).map(() => read(features.changes()));
    await settle();
    const before = backend.count('changes');
    await create(store, 'a');
    await until(() => readers.every(({ revisions }) => revisions.length === 1), 'all are told');
    // The read after the hint, and one more that the hint of the next turn may cause.
    expect(backend.count('changes') - before).toBeLessThanOrEqual(2);
    expect(backend.count('knownUserIds')).toBeLessThanOrEqual(50);
  });

  it('that a slow reader has not taken are read when it asks, and are not kept for it', async () => {
    const { store, features, backend } = await start();
    const changes = features.changes();
    const first = changes.next();
    await create(store, 'a');
    expect((await first).value.revision).toBe(1);
    for (const number of upTo(2_500)) await create(store, `flag-${number}`);
    await until(() => features.status.revision === 2_501, 'the node has all');
    const before = backend.count('changes');
    for (const revision of upTo(2_501).slice(1)) expect((await changes.next()).value.revision).toBe(revision);
    // Of 1,000 each: the log was read again, because nothing was kept.
    expect(backend.count('changes') - before).toBe(3);
  });

  it('that do not match the filter are passed over', async () => {
    const { features } = await start();
    const reader = read(features.changes({ filter: { kinds: ['FLAG_DELETED'], flagKey: 'b' } }));
    for (const key of ['a', 'b']) {
      await features.createFlag({ key, name: key });
      await features.deleteFlag({ key });
    }
    await until(() => reader.revisions.length === 1, 'one is told');
    expect(reader.revisions).toEqual([4]);
  });

  it('are told of a table that was emptied, and go on', async () => {
    const { store, features } = await start();
    await features.createFlag({ key: 'a', name: 'A' });
    const reader = read(features.changes());
    store.clear();
    await until(() => features.status.flags === 0, 'the node has read it');
    await create(store, 'b');
    await until(() => reader.revisions.length === 2, 'both are told');
    expect(reader.changes.map(({ kind }) => kind)).toEqual(['RESET', 'FLAG_CREATED']);
  });
});

describe('a reader of changes leaves', () => {
  it.each<[string, (act: { abort: AbortController; close: () => unknown; changes: AsyncIterator<Change> }) => unknown]>(
    [
      ['when its signal aborts', ({ abort }) => abort.abort()],
      ['when the features are closed', ({ close }) => close()],
      ['when it returns', ({ changes }) => changes.return?.()],
    ],
  )('%s, also while it waits', async (_how, leave) => {
    const { features } = await start();
    const abort = new AbortController();
    const changes = features.changes({ signal: abort.signal });
    const [one, other] = [changes.next(), changes.next()];
    await settle();
    await leave({ abort, close: () => features.close(), changes });
    expect(await Promise.all([one, other])).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    expect(await changes.next()).toEqual({ done: true, value: undefined });
  });

  it('though a read hangs', async () => {
    const { features, backend } = await start();
    const release = backend.hold('changes');
    const changes = features.changes({ since: 0 });
    const waiting = changes.next();
    await settle();
    await changes.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    release();
  });

  it('at once, if its signal has aborted or the features are closed already', async () => {
    const { features } = await start();
    expect(await features.changes({ signal: AbortSignal.abort() }).next()).toEqual({ done: true, value: undefined });
    await features.close();
    expect(await features.changes({ since: 0 }).next()).toEqual({ done: true, value: undefined });
  });
});

describe('changes that the log does not have', () => {
  const failure = async (features: { changes(options?: ChangesOptions): AsyncIterator<Change> }, since: number) =>
    features
      .changes({ since })
      .next()
      .catch((error: unknown) => error);

  it('because it ends before the revision', async () => {
    const { store, features } = await start();
    await create(store, 'a');
    const error = await failure(features, 2);
    expect(error).toBeInstanceOf(RevisionNotFoundError);
    expect(error).toMatchObject({ code: 'REVISION_NOT_FOUND', oldest: null });
    expect((error as Error).message).toContain('revision 2');
  });

  it('because they were deleted for their age: the error says which the log keeps', async () => {
    const { store, backend, features } = await start();
    for (const key of ['a', 'b', 'c']) await create(store, key);
    const { changes } = backend;
    const pruned = (page: ChangePage): ChangePage => ({
      ...page,
      nonce: page.nonce !== null && page.changes[0]?.revision === 3 ? null : page.nonce,
      changes: page.changes.filter(({ revision }) => revision >= 3),
    });
    store.changes = async (after, limit) => pruned(await MemoryBackend.prototype.changes.call(store, after, limit));
    expect(changes).toBeDefined();
    const error = await failure(features, 1);
    expect(error).toMatchObject({ code: 'REVISION_NOT_FOUND', oldest: 3 });
    expect((error as Error).message).toContain('has revision 3');
    // The entry at the place itself need not be kept.
    expect((await features.changes({ since: 2 }).next()).value.revision).toBe(3);
  });

  it.each<[string, (page: ChangePage) => ChangePage]>([
    ['the database is another one', page => ({ ...page, epoch: 'another' })],
    ['its last entry is another one', page => ({ ...page, nonce: page.nonce === null ? null : 'another' })],
    ['the log ends before its place', page => ({ ...page, head: 0, changes: [] })],
  ])('because %s: readers that wait and readers that are slow are told', async (_why, other) => {
    const { store, features } = await start();
    await create(store, 'a');
    const waiting = read(features.changes({ since: 0 }));
    const slow = features.changes({ since: 0 });
    expect((await slow.next()).value.revision).toBe(1);
    await until(() => waiting.revisions.length === 1, 'the first is told');
    store.changes = async (after, limit) => other(await MemoryBackend.prototype.changes.call(store, after, limit));
    await create(store, 'b');
    await until(() => waiting.end !== null, 'the reader is told');
    expect(waiting.end).toMatchObject({ code: 'REVISION_NOT_FOUND', oldest: null });
    await expect(slow.next()).rejects.toMatchObject({ code: 'REVISION_NOT_FOUND' });
    expect(await slow.next()).toEqual({ done: true, value: undefined });
  });
});

describe('an outage', () => {
  it('is an error for a reader that has had nothing', async () => {
    const { features, backend } = await start();
    backend.fail('changes', new UnavailableError());
    await expect(features.changes({ since: 0 }).next()).rejects.toThrow(UnavailableError);
  });

  it('only delays the changes of a reader that follows', async () => {
    const { store, features, backend } = await start();
    const reader = read(features.changes());
    await create(store, 'a');
    await until(() => reader.revisions.length === 1, 'the first is told');
    const mend = backend.fail('knownUserIds', new UnavailableError());
    await create(store, 'b');
    await until(() => features.status.revision === 2, 'the node has it');
    await settle();
    expect(reader).toMatchObject({ revisions: [1], end: null });
    mend();
    await until(() => reader.revisions.length === 2, 'the second is told');
    expect(reader.revisions).toEqual([1, 2]);
  });
});

it.each<[string, unknown, string]>([
  ['a revision below 0', { since: -1 }, 'since'],
  ['a fraction', { since: 1.5 }, 'since'],
  ['a kind that there is not', { filter: { kinds: ['FLAG'] } }, 'filter.kinds.0'],
  ['an id of no user', { filter: { userId: '' } }, 'filter.userId'],
  ['a date that is not valid', { filter: { until: new Date('x') } }, 'filter.until'],
  ['a batch that is no UUID', { filter: { batch: 'x' } }, 'filter.batch'],
  ['a filter that there is not', { filter: { flag: 'a' } }, 'filter.flag'],
  ['an option that there is not', { revision: 1 }, 'revision'],
])('%s is refused', async (_what, options, path) => {
  const { features } = await start();
  const attempt = () => features.changes(options as ChangesOptions);
  expect(attempt).toThrow(ValidationError);
  expect(attempt).toThrow(`${path}: `);
});
