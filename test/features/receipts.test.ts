import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { UnavailableError } from '../../src/core/errors.js';
import { type Log, silentLog } from '../../src/core/log.js';
import type { FlagAudience, Propagation } from '../../src/core/receipt.js';
import { FeatureService, type FeatureServiceOptions } from '../../src/features/service.js';
import type { FeaturesUpdate } from '../../src/features/subscriber.js';
import { controlled } from '../support/controlled-backend.js';
import { notClosing, openPGlite } from '../support/pglite.js';
import { settle, until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bob = '00000000-0000-4000-8000-000000000001';

const services: FeatureService[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map(service => service.close()));
});

async function open(options: Partial<FeatureServiceOptions> = {}) {
  const store = controlled(options.backend ?? new MemoryBackend());
  const service = await FeatureService.open({
    answersNodes: true,
    pollInterval: 3_600_000,
    ...options,
    backend: store,
  });
  services.push(service);
  return { store, service, manage: service.management };
}

/** A viewer whose transport takes an update when the test says so. */
class Viewer {
  readonly updates: AsyncIterableIterator<FeaturesUpdate>;
  #next: Promise<IteratorResult<FeaturesUpdate>>;
  #has: FeaturesUpdate | null = null;

  constructor(service: FeatureService, userId: string | null = null, keys: readonly string[] | null = null) {
    this.updates = service.subscribe({ userId }, { keys });
    this.#next = this.#pull();
  }

  static async of(service: FeatureService, userId: string | null = null, keys: readonly string[] | null = null) {
    const viewer = new Viewer(service, userId, keys);
    await viewer.take();
    return viewer;
  }

  /** The next update, which the transport has yet to take. */
  async given(): Promise<FeaturesUpdate> {
    await this.#next;
    return this.#has as FeaturesUpdate;
  }

  /** Takes the next update. */
  async take(): Promise<FeaturesUpdate> {
    const update = await this.given();
    this.#next = this.#pull();
    return update;
  }

  leave() {
    return this.updates.return?.();
  }

  async #pull() {
    const result = await this.updates.next();
    this.#has = result.value ?? null;
    return result;
  }
}

/** The first word on a revision, without the times, which differ. */
async function receipt(service: FeatureService, revision: number) {
  const stream = await service.receipts.propagation(revision);
  const { value } = await stream.next();
  await stream.return?.();
  const { p50: _p50, p99: _p99, ...numbers } = value as Propagation;
  return numbers;
}

const alone = { nodes: 1, nodesApplied: 1 };

describe('a receipt', () => {
  it('counts the viewers whose answers a change has altered, and those whose transport has taken it', async () => {
    const { service, manage } = await open();
    await manage.createFlag({
      key: 'a',
      name: 'A',
      enabled: true,
      rules: [{ when: { attributes: { $id: ann } }, on: false }],
    });
    await manage.createFlag({ key: 'b', name: 'B' });
    const [first, second, other, elsewhere] = [
      await Viewer.of(service, ann),
      await Viewer.of(service, ann),
      await Viewer.of(service, bob),
      await Viewer.of(service, ann, ['b']),
    ];
    const { revision } = await manage.updateFlag({
      key: 'a',
      rules: [{ when: { attributes: { $id: ann } }, on: true }],
    });
    await Promise.all([first.given(), second.given()]);
    expect(await receipt(service, revision)).toMatchObject({ affected: 2, handed: 0, behind: 2, isDone: false });
    await first.take();
    expect(await receipt(service, revision)).toMatchObject({ affected: 2, handed: 1, behind: 1, isDone: false });
    await second.take();
    expect(await receipt(service, revision)).toEqual({
      revision,
      affected: 2,
      handed: 2,
      behind: 0,
      ...alone,
      isDone: true,
    });
    await Promise.all([first, second, other, elsewhere].map(viewer => viewer.leave()));
    expect(await receipt(service, revision)).toMatchObject({ affected: 2, handed: 2, behind: 0, isDone: true });
  });

  it('of a viewer who leaves before the transport has taken it says affected, and not handed', async () => {
    const { service, manage } = await open();
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = await Viewer.of(service);
    const { revision } = await manage.updateFlag({ key: 'a', enabled: true });
    await viewer.given();
    await viewer.leave();
    expect(await receipt(service, revision)).toMatchObject({ affected: 1, handed: 0, behind: 0, isDone: true });
  });

  it('counts an update that brings a slow viewer over several changes for each of them', async () => {
    const { service, manage } = await open();
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.createFlag({ key: 'b', name: 'B' });
    await manage.createFlag({ key: 'c', name: 'C' });
    const slow = await Viewer.of(service, ann);
    const first = await manage.updateFlag({ key: 'c', enabled: true });
    await slow.given();
    const changes = [
      await manage.updateFlag({ key: 'a', enabled: true }),
      await manage.setOverride({ userId: bob, flagKey: 'a', enabled: false }),
      await manage.setOverride({ userId: ann, flagKey: 'b', enabled: true }),
      await manage.updateFlag({ key: 'c', name: 'another name' }),
    ].map(({ revision }) => revision);
    await settle();
    const numbers = () => Promise.all(changes.map(revision => receipt(service, revision)));
    expect((await numbers()).map(({ affected, behind }) => [affected, behind])).toEqual([
      [0, 1],
      [0, 0],
      [0, 1],
      [0, 0],
    ]);
    await slow.take();
    expect(Object.keys((await slow.given()).features)).toHaveLength(2);
    expect((await numbers()).map(({ affected, behind }) => [affected, behind])).toEqual([
      [1, 1],
      [0, 0],
      [1, 1],
      [0, 0],
    ]);
    await slow.take();
    expect((await numbers()).map(({ affected, handed, behind }) => [affected, handed, behind])).toEqual([
      [1, 1, 0],
      [0, 0, 0],
      [1, 1, 0],
      [0, 0, 0],
    ]);
    expect(await receipt(service, first.revision)).toMatchObject({ affected: 1, handed: 1 });
  });

  it('is one for all changes of a batch, and counts a viewer once', async () => {
    const { service, manage } = await open();
    for (const key of ['a', 'b']) await manage.createFlag({ key, name: key, enabled: true });
    const { revision: before } = await manage.setOverride({ userId: ann, flagKey: 'a', enabled: false });
    const viewers = [await Viewer.of(service, ann), await Viewer.of(service, bob), await Viewer.of(service)];
    const { revision } = await manage.updateFlags({ flags: ['a', 'b'].map(key => ({ key, enabled: false })) });
    expect(revision).toBe(before + 2);
    await Promise.all(viewers.map(viewer => viewer.take()));
    for (const of of [revision - 1, revision]) {
      expect(await receipt(service, of)).toMatchObject({ revision: of, affected: 3, handed: 3, behind: 0 });
    }
    // The deletion of the flag is followed by that of its override, which has the revision of the payload.
    const deletion = await manage.deleteFlag({ key: 'a' });
    expect(deletion.revision).toBe(revision + 2);
    await Promise.all(viewers.map(viewer => viewer.take()));
    expect(await receipt(service, deletion.revision)).toMatchObject({ affected: 3, handed: 3, behind: 0 });
  });

  it('of a batch that comes in two parts counts a viewer once, and waits for both', async () => {
    const { store, service, manage } = await open();
    for (const key of ['a', 'b']) await manage.createFlag({ key, name: key });
    const viewer = await Viewer.of(service);
    const by = { actor: null, batch: '0b0e1f9a-6c1e-4b53-9d0a-0c7f5a1c2d3e' };
    const { revision } = await store.updateFlag('a', { enabled: true }, null, by);
    await viewer.take();
    expect(await receipt(service, revision)).toMatchObject({ affected: 1, handed: 1, behind: 0 });
    await store.updateFlag('b', { enabled: true }, null, by);
    await until(() => service.revision === revision + 1, 'the second part is applied');
    expect(await receipt(service, revision)).toMatchObject({ affected: 1, handed: 1, behind: 1, isDone: false });
    await viewer.take();
    for (const of of [revision, revision + 1]) {
      expect(await receipt(service, of)).toMatchObject({ affected: 1, handed: 1, behind: 0, isDone: true });
    }
  });

  it('is about nobody if no answer has changed, or only for viewers who come later', async () => {
    const { service, manage } = await open();
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = await Viewer.of(service);
    const named = await manage.updateFlag({ key: 'a', name: 'B' });
    const on = await manage.updateFlag({ key: 'a', percentage: 50 });
    const late = await Viewer.of(service);
    await settle();
    for (const { revision } of [named, on]) {
      expect(await receipt(service, revision)).toMatchObject({ affected: 0, handed: 0, behind: 0, isDone: true });
    }
    const unpin = service.pin(new Map([['a', true]]) as never);
    await Promise.all([viewer.take(), late.take()]);
    unpin();
    await Promise.all([viewer.take(), late.take()]);
    expect(await receipt(service, on.revision)).toMatchObject({ affected: 0, handed: 0 });
  });

  it('tells how long it took', async () => {
    const { service, manage } = await open();
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = await Viewer.of(service);
    const { revision } = await manage.updateFlag({ key: 'a', enabled: true });
    const stream = await service.receipts.propagation(revision);
    expect((await stream.next()).value).toMatchObject({ p50: null, p99: null, isDone: false });
    await viewer.take();
    expect((await stream.next()).value).toMatchObject({
      p50: expect.any(Number),
      p99: expect.any(Number),
      handed: 1,
      isDone: true,
    });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('after a reload is that of everything that was loaded', async () => {
    const store = new MemoryBackend();
    const { service, manage } = await open({ backend: store });
    await manage.createFlag({ key: 'a', name: 'A', enabled: true });
    const viewer = await Viewer.of(service);
    store.clear();
    await until(() => service.revision === 2, 'the reset is applied');
    expect((await viewer.take()).removed).toEqual(['a']);
    expect(await receipt(service, 2)).toMatchObject({ affected: 1, handed: 1, behind: 0 });
  });

  it('is refused for revisions that are yet to come, and for those that are older than a minute', async () => {
    const backend = new MemoryBackend();
    const { service, manage } = await open({ backend });
    await manage.createFlag({ key: 'a', name: 'A' });
    await expect(service.receipts.propagation(2)).rejects.toMatchObject({
      code: 'REVISION_NOT_FOUND',
      message: expect.stringMatching(/^The change log ends at revision 1: there is no revision 2 yet\./),
    });
    const { service: young } = await open({ backend });
    expect(await receipt(young, 1)).toMatchObject({ affected: 0, behind: 0, isDone: true });
    const { service: late } = await open({ backend, now: () => Date.now() + 60_500 });
    await expect(late.receipts.propagation(1)).rejects.toThrow(
      'Receipts are kept for 60 seconds, and revision 1 is older.',
    );
  });
});

/** The first word on each flag. */
async function audiences(service: FeatureService, keys: readonly string[] | null, count: number) {
  const stream = service.receipts.flagAudience(keys);
  const found: FlagAudience[] = [];
  for await (const audience of stream) if (found.push(audience) === count) break;
  return found;
}

describe('an audience', () => {
  it('counts viewers by the answer that they were handed, and those who wait for another', async () => {
    const { service, manage } = await open();
    await manage.createFlag({ key: 'a', name: 'A', enabled: true, conditions: { attributes: { $id: ann } } });
    const variants = ['x', 'y'].map(key => ({ key, value: key, weight: key === 'x' ? 1 : 0 }));
    await manage.createFlag({ key: 'b', name: 'B', type: 'STRING', variants, offVariant: 'y', enabled: true });
    await manage.createFlag({ key: 'c', name: 'C' });
    const viewers = [
      await Viewer.of(service, ann),
      await Viewer.of(service, ann),
      await Viewer.of(service, bob, ['a', 'nope']),
      await Viewer.of(service, null, ['c']),
    ];
    expect(await audiences(service, null, 3)).toEqual([
      { key: 'a', viewers: 3, on: 2, variants: { off: 1, on: 2 }, behind: 0 },
      { key: 'b', viewers: 2, on: 2, variants: { x: 2 }, behind: 0 },
      { key: 'c', viewers: 3, on: 0, variants: { off: 3 }, behind: 0 },
    ]);
    expect(await service.receipts.audience(['nope', 'b', 'a', 'b'])).toMatchObject([
      { key: 'nope', viewers: 0, on: 0, variants: {} },
      { key: 'b', viewers: 2 },
      { key: 'a', viewers: 3 },
      { key: 'b', viewers: 2 },
    ]);
    await manage.updateFlag({ key: 'a', enabled: false });
    await Promise.all(viewers.slice(0, 2).map(viewer => viewer.given()));
    expect(await audiences(service, ['a'], 1)).toEqual([
      { key: 'a', viewers: 3, on: 0, variants: { off: 3 }, behind: 3 },
    ]);
    await Promise.all(viewers.slice(0, 3).map(viewer => viewer.take()));
    await viewers[0]?.leave();
    expect(await audiences(service, ['a'], 1)).toEqual([
      { key: 'a', viewers: 2, on: 0, variants: { off: 2 }, behind: 0 },
    ]);
  });

  it('is told again when it has changed', async () => {
    const { service, manage } = await open();
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.createFlag({ key: 'b', name: 'B' });
    const viewer = await Viewer.of(service);
    const stream = service.receipts.flagAudience(null);
    expect((await stream.next()).value).toMatchObject({ key: 'a', on: 0 });
    expect((await stream.next()).value).toMatchObject({ key: 'b', on: 0 });
    await manage.updateFlag({ key: 'b', enabled: true });
    await viewer.take();
    expect((await stream.next()).value).toMatchObject({ key: 'b', viewers: 1, on: 1 });
    await stream.return?.();
  });
});

describe('nodes', () => {
  let database: DatabaseBackend;
  beforeAll(async () => {
    database = await openPGlite();
  }, 60_000);
  afterAll(() => database.close());
  let flags = 0;

  /** Two services over one database, and a flag of their own. */
  async function two() {
    flags += 1;
    const key = `flag-${flags}`;
    const nodes = [
      await open({ backend: notClosing(database) }),
      await open({ backend: notClosing(database) }),
    ] as const;
    const { revision } = await nodes[0].manage.createFlag({ key, name: key });
    await until(() => nodes[1].service.revision === revision, 'the other node has the flag');
    return { key, nodes, exchanges: () => nodes.map(({ store }) => store.count('exchangeNotes')) };
  }

  it('add up what they count, as long as somebody asks', { timeout: 30_000 }, async () => {
    const { key, nodes, exchanges } = await two();
    const [a, b] = nodes;
    const viewers = [await Viewer.of(a.service), await Viewer.of(b.service), await Viewer.of(b.service, ann)];
    expect(exchanges()).toEqual([0, 0]);

    const { revision } = await a.manage.updateFlag({ key, enabled: true });
    const [taking, [slow]] = [viewers.slice(0, 2), viewers.slice(2)];
    await Promise.all(taking.map(viewer => viewer.take()));
    const stream = await a.service.receipts.propagation(revision);
    const heard: Propagation[] = [];
    for await (const word of stream) {
      heard.push(word);
      if (word.nodes === 2 && word.behind === 1) await slow?.take();
    }
    expect(heard.at(-1)).toMatchObject({ affected: 3, handed: 3, behind: 0, nodes: 2, nodesApplied: 2, isDone: true });
    expect(heard.filter(({ isDone }) => isDone)).toHaveLength(1);
    expect(heard).toContainEqual(
      expect.objectContaining({ affected: 3, handed: 2, behind: 1, nodes: 2, isDone: false }),
    );

    // Nobody asks any more: nothing is written, and nothing is left.
    await until(
      async () => (await database.prisma.$queryRaw<unknown[]>`SELECT FROM node_notes`).length === 0,
      'the notes are gone',
    );
    const last = exchanges();
    await b.manage.updateFlag({ key, enabled: false });
    await Promise.all(viewers.map(viewer => viewer.take()));
    // As long as two rounds of nodes that are asked.
    const watched = await open();
    const watching = watched.service.receipts.flagAudience(null);
    await until(() => watched.store.count('exchangeNotes') === 3, 'time has passed');
    await watching.return?.();
    expect(exchanges()).toEqual(last);
  });

  it('tell the audience of all', { timeout: 30_000 }, async () => {
    const {
      key,
      nodes: [a, b],
    } = await two();
    const other = await two().then(({ key, nodes }) =>
      Promise.all(nodes.map(node => node.service.close())).then(() => key),
    );
    await until(() => [a, b].every(({ service }) => service.revision === a.service.revision), 'both have the flags');
    const viewers = [await Viewer.of(a.service), await Viewer.of(b.service), await Viewer.of(b.service, ann, [key])];
    const known = new Map<string, FlagAudience>();
    const stream = a.service.receipts.flagAudience([key, other]);
    const following = (async () => {
      for await (const audience of stream) known.set(audience.key, audience);
    })();
    await until(() => known.get(key)?.viewers === 3 && known.get(other)?.viewers === 2, 'both nodes are counted');
    await b.manage.updateFlag({ key, enabled: true });
    await Promise.all(viewers.map(viewer => viewer.take()));
    await until(() => known.get(key)?.on === 3 && known.get(key)?.behind === 0, 'the flip is told');
    expect(known.get(key)).toEqual({ key, viewers: 3, on: 3, variants: { on: 3 }, behind: 0 });
    // The other one is about to be stopped.
    await b.service.close();
    await until(() => known.get(key)?.viewers === 1, 'the viewers of the other node are gone');
    await stream.return?.();
    await following;
  });

  it('that cannot reach the database count for themselves, and say so once', { timeout: 30_000 }, async () => {
    const lines: string[] = [];
    const note = (_fields: object, message: string) => void lines.push(message);
    const log: Log = { ...silentLog, warn: note, info: note };
    const { store, service, manage } = await open({ log });
    await manage.createFlag({ key: 'a', name: 'A' });
    const recover = store.fail('exchangeNotes', new UnavailableError('away'));
    const viewer = await Viewer.of(service);
    const stream = service.receipts.flagAudience(null);
    expect((await stream.next()).value).toMatchObject({ key: 'a', viewers: 1 });
    await viewer.leave();
    expect((await stream.next()).value).toMatchObject({ key: 'a', viewers: 0 });
    expect(lines).toEqual([
      expect.stringMatching(/^What nodes tell one another of receipts cannot be written or read\./),
    ]);
    recover();
    await Viewer.of(service);
    expect((await stream.next()).value).toMatchObject({ key: 'a', viewers: 1 });
    expect(lines[1]).toMatch(/can be read again/);
  });

  it('end every stream when they close', async () => {
    const { service, manage, store } = await open();
    await manage.createFlag({ key: 'a', name: 'A' });
    const viewer = await Viewer.of(service);
    const { revision } = await manage.updateFlag({ key: 'a', enabled: true });
    await viewer.given();
    const streams = [await service.receipts.propagation(revision), service.receipts.flagAudience(null)];
    for (const stream of streams) await stream.next();
    const pending = streams.map(stream => stream.next());
    await service.close();
    for (const result of await Promise.all(pending)) expect(result.done).toBe(true);
    const last = store.count('exchangeNotes');
    expect((await service.receipts.flagAudience(null).next()).done).toBe(true);
    expect(store.count('exchangeNotes')).toBe(last);
  });
});
