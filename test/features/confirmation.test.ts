import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { FlagNotFoundError, VersionConflictError } from '../../src/core/errors.js';
import type { UpdateFlagInput } from '../../src/core/inputs.js';
import { ConfirmationRequiredError, Confirmations } from '../../src/features/confirmation.js';
import { FeatureService, type FeatureServiceOptions } from '../../src/features/service.js';
import { controlled } from '../support/controlled-backend.js';
import { newFlag } from '../support/flags.js';
import { until } from '../support/wait.js';

const minute = 60_000;
const services: FeatureService[] = [];

afterEach(async () => {
  await Promise.all(services.splice(0).map(service => service.close()));
});

async function start(options: Partial<FeatureServiceOptions> = {}) {
  let now = Date.parse('2026-06-01T00:00:00Z');
  const backend = controlled((options.backend as Backend | undefined) ?? new MemoryBackend());
  const service = await FeatureService.open({ isProtected: true, now: () => now, ...options, backend });
  services.push(service);
  const as = (caller: string, confirm: string | null = null) => service.changesOf({ caller, confirm });
  return {
    service,
    backend,
    /** The demand that a change is answered with. */
    async asked(change: Promise<unknown>): Promise<ConfirmationRequiredError> {
      const error = await change.then(
        () => new Error('The change was made.'),
        (reason: unknown) => reason,
      );
      if (!(error instanceof ConfirmationRequiredError)) throw error;
      return error;
    },
    update: (input: UpdateFlagInput, confirm: string | null = null, caller = 'ann') =>
      as(caller, confirm).updateFlag(input),
    remove: (key: string, confirm: string | null = null, caller = 'ann') => as(caller, confirm).deleteFlag({ key }),
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
  };
}

const on = { key: 'a', enabled: true } as const;

describe('on a protected server an update', () => {
  it('is asked to be confirmed, with its preview, and passes with the token of the answer', async () => {
    const { service, asked, update, backend } = await start();
    await service.management.createFlag({ key: 'a', name: 'A' });
    await service.subscribe({ userId: 'viewer' }).next();
    const demand = await asked(update(on));
    expect(demand).toMatchObject({
      code: 'CONFIRMATION_REQUIRED',
      path: ['confirm'],
      message: expect.stringMatching(/^This server is protected.*within ten minutes\.$/),
      preview: { counted: 1, on: 0, onAfter: 1, gain: 1, gaining: ['viewer'] },
    });
    expect((await backend.getFlag('a'))?.version).toBe(1);
    expect(await update(on, demand.preview.confirm)).toMatchObject({ value: { enabled: true, version: 2 } });
  });

  it('passes with the token of its preview, also with a note and the expected version', async () => {
    const { service, update } = await start();
    await service.management.createFlag({ key: 'a', name: 'A' });
    const rules = [
      { when: {}, percentage: 30 },
      { when: {}, percentage: 30 },
    ];
    const { confirm } = await service.confirmablePreview({ ...on, rules, note: 'One' }, 'STORED', 'ann');
    const input = { rules, expectedVersion: 1, note: 'Another', ...on };
    expect(await update(input, confirm)).toMatchObject({ value: { version: 2 } });
  });

  it('needs none if it can alter no answer', async () => {
    const { service, update } = await start();
    await service.management.createFlag({
      key: 'a',
      name: 'A',
      conditions: { groups: ['g'], attributes: { b: 1, a: 2 } },
    });
    expect(await update({ key: 'a', name: 'B', description: 'b' })).toMatchObject({ value: { version: 2 } });
    const same = { key: 'a', enabled: false, conditions: { attributes: { a: 2, b: 1 }, groups: ['g'] } };
    expect(await update(same)).toMatchObject({ value: { enabled: false } });
  });

  it('that cannot be made has its own error first', async () => {
    const { service, update } = await start();
    await service.management.createFlag({ key: 'a', name: 'A' });
    await expect(update({ key: 'nope', enabled: true })).rejects.toThrow(FlagNotFoundError);
    await expect(update({ ...on, expectedVersion: 7 })).rejects.toThrow(VersionConflictError);
  });

  it.each<[string, RegExp, (parts: Awaited<ReturnType<typeof start>>, token: string) => Promise<unknown>]>([
    ['another caller', /another caller/, ({ update }, token) => update(on, token, 'bob')],
    ['another change', /another change/, ({ update }, token) => update({ ...on, percentage: 50 }, token)],
    ['another flag', /another change/, ({ update }, token) => update({ ...on, key: 'b' }, token)],
    ['a deletion', /another change/, ({ remove }, token) => remove('a', token)],
    [
      'a time after ten minutes',
      /expired/,
      ({ update, wait }, token) => {
        wait(10 * minute);
        return update(on, token);
      },
    ],
    ['no token at all', /not a confirmation/, ({ update }) => update(on, 'yes')],
    ['an empty text', /not a confirmation/, ({ update }) => update(on, '')],
    ['a very long text', /not a confirmation/, ({ update }) => update(on, 'A'.repeat(1_000_000))],
    [
      'a token with another end',
      /not made by this server/,
      ({ update }, token) => update(on, `${token.slice(0, -4)}AAAA`),
    ],
    ['a token with a later time', /not made by this server/, ({ update }, token) => update(on, `_${token.slice(1)}`)],
    [
      'another version',
      /was changed after/,
      async ({ service, update }, token) => {
        await service.management.updateFlag({ key: 'a', name: 'Other' });
        return update(on, token);
      },
    ],
    [
      'a flag that was created again',
      /was changed after/,
      async ({ service, update }, token) => {
        await service.management.deleteFlag({ key: 'a' });
        await service.management.createFlag({ key: 'a', name: 'A' });
        return update(on, token);
      },
    ],
  ])('with a confirmation for %s is asked again, and told why', async (_name, why, change) => {
    const parts = await start();
    for (const key of ['a', 'b']) await parts.service.management.createFlag({ key, name: key });
    const { confirm } = await parts.service.confirmablePreview(on, 'CONNECTED', 'ann');
    const demand = await parts.asked(change(parts, confirm));
    expect(demand.message).toMatch(why);
    const flags = (await parts.backend.definitions()).flags;
    expect(flags.map(({ enabled }) => enabled)).toEqual([false, false]);
  });

  it('passes until the last moment of the ten minutes, and once: what it confirmed is then made', async () => {
    const { service, asked, update, wait } = await start();
    await service.management.createFlag({ key: 'a', name: 'A' });
    const { confirm } = await service.confirmablePreview(on, 'CONNECTED', 'ann');
    wait(10 * minute - 1);
    await update(on, confirm);
    // A second attempt after a lost answer.
    expect(await update(on, confirm)).toMatchObject({ value: { version: 2 } });
    await service.management.updateFlag({ key: 'a', enabled: false });
    expect((await asked(update(on, confirm))).message).toMatch(/was changed after/);
  });

  it.each(['updateFlag', 'deleteFlag'] as const)(
    '%s is asked again if the flag is changed right before it is written',
    async kind => {
      const { service, backend, asked, update, remove } = await start();
      await service.management.createFlag({ key: 'a', name: 'A' });
      const change = (confirm: string | null) => (kind === 'updateFlag' ? update(on, confirm) : remove('a', confirm));
      const { confirm } = (await asked(change(null))).preview;
      const release = backend.hold('getFlag');
      const before = backend.count('getFlag');
      const pending = asked(change(confirm));
      await until(() => backend.count('getFlag') > before, 'the flag was read');
      await service.management.updateFlag({ key: 'a', percentage: 50 });
      release();
      expect((await pending).message).toMatch(/was changed after/);
      expect(await backend.getFlag('a')).toMatchObject({ enabled: false, percentage: 50, version: 2 });
    },
  );
});

describe('on a protected server', () => {
  it('a deletion is confirmed, and its preview has the feature on for nobody', async () => {
    const { service, asked, remove, backend } = await start();
    await service.management.createFlag({ key: 'a', name: 'A', enabled: true });
    await service.management.setOverride({ userId: 'u', flagKey: 'a', enabled: true });
    await service.subscribe({ userId: 'viewer' }).next();
    const { preview } = await asked(remove('a'));
    expect(preview).toMatchObject({ on: 1, onAfter: 0, lose: 1, losing: ['viewer'] });
    expect(await remove('a', preview.confirm)).toMatchObject({ value: true, batch: expect.any(String) });
    expect(await backend.getFlag('a')).toBeNull();
    expect(await remove('a', preview.confirm)).toMatchObject({ value: false });
    expect(await remove('nope')).toMatchObject({ value: false });
  });

  it('a deletion turns the feature on for everybody where the default answer is on', async () => {
    const { service, asked, remove } = await start({ defaultEnabled: true });
    await service.management.createFlag({ key: 'a', name: 'A', enabled: false });
    await service.management.setOverride({ userId: 'u', flagKey: 'a', enabled: true });
    await service.subscribe({ userId: 'viewer' }).next();
    await service.subscribe({ userId: 'u' }).next();
    const { preview } = await asked(remove('a'));
    expect(preview).toMatchObject({ on: 1, onAfter: 2, gain: 1, lose: 0, gaining: ['viewer'], changeVariant: 0 });
  });

  it('changes of this program itself need no confirmation', async () => {
    const { service } = await start();
    await service.management.createFlag({ key: 'a', name: 'A' });
    expect(await service.management.updateFlag(on)).toMatchObject({ value: { enabled: true } });
  });

  it('overrides that are set all the time hold no change up', async () => {
    const store = new MemoryBackend();
    let count = 0;
    const busy = new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (name !== 'apply') return typeof member === 'function' ? member.bind(target) : member;
        return async (...args: Parameters<Backend['apply']>) => {
          const override = { userId: `u${++count}`, enabled: true, reason: null, expiresAt: null };
          for (const flagKey of ['a', 'b']) await target.setOverride({ flagKey, ...override }, null).catch(() => {});
          return target.apply(...args);
        };
      },
    });
    const { service, asked } = await start({ backend: busy });
    for (const key of ['a', 'b']) await service.management.createFlag({ key, name: key });
    const changes = {
      updateFlags: (confirm: string | null) =>
        service.changesOf({ caller: 'ann', confirm }).updateFlags({ flags: [on, { key: 'b', enabled: true }] }),
      deleteFlag: (confirm: string | null) => service.changesOf({ caller: 'ann', confirm }).deleteFlag({ key: 'a' }),
    };
    for (const change of Object.values(changes)) {
      const { preview } = await asked(change(null));
      count = 0;
      await change(preview.confirm);
      expect(count).toBe(1);
    }
    expect(await store.getFlag('a')).toBe(null);
    expect(await store.getFlag('b')).toMatchObject({ enabled: true, version: 2 });
  });

  it('a flag that is changed between the look at it and its deletion is looked at again', async () => {
    const store = new MemoryBackend();
    const { service, backend, asked, remove } = await start({ backend: store });
    await service.management.createFlag({ key: 'a', name: 'A' });
    const { preview } = await asked(remove('a'));
    const release = backend.hold('getFlag');
    const removal = remove('a', preview.confirm);
    await until(() => backend.count('getFlag') > 1, 'the flag is looked at');
    await store.updateFlag('a', { enabled: true }, null, null);
    release();
    expect((await asked(removal)).message).toMatch(/was changed after/);
    const second = await asked(remove('a'));
    const again = backend.hold('getFlag');
    const looks = backend.count('getFlag');
    const late = remove('a', second.preview.confirm);
    await until(() => backend.count('getFlag') > looks, 'the flag is looked at');
    await store.deleteFlag('a', null);
    again();
    expect(await late).toMatchObject({ value: false });
  });

  it('several writes are confirmed as one change, in which overrides and new flags count as free', async () => {
    const backend = new MemoryBackend();
    for (const key of ['a', 'b', 'c']) await backend.createFlag(newFlag(key), null);
    const confirmations = new Confirmations({
      backend,
      isProtected: true,
      preview: async changes => ({
        ...{ counted: changes.length, total: 0, isComplete: true, on: 0, onAfter: 0, gain: 0, lose: 0 },
        ...{ changeVariant: 0, gaining: [], losing: [] },
      }),
      now: () => 0,
    });
    const store = (confirm: string | null = null) => confirmations.storeFor({ caller: 'ann', confirm });
    const by = { actor: null };
    const free = [
      { kind: 'createFlag', flag: newFlag('d', { enabled: true }) },
      { kind: 'updateFlag', key: 'd', patch: { percentage: 10 } },
      { kind: 'updateFlag', key: 'a', patch: { name: 'Only a name' } },
      { kind: 'setOverride', override: { userId: 'u', flagKey: 'a', enabled: true, reason: null, expiresAt: null } },
    ] as const;
    await store().apply(free, by);
    const steps = [
      { kind: 'updateFlag', key: 'a', patch: { enabled: true } },
      { kind: 'deleteFlag', key: 'b' },
      { kind: 'deleteFlag', key: 'c' },
      { kind: 'createFlag', flag: newFlag('c', { enabled: true }) },
    ] as const;
    const demand = (await store()
      .apply(steps, by)
      .catch((error: unknown) => error)) as ConfirmationRequiredError;
    expect(demand).toBeInstanceOf(ConfirmationRequiredError);
    expect(demand.preview.counted).toBe(3);
    const { confirm } = demand.preview;
    await expect(store(confirm).apply(steps.slice(0, 3), by)).rejects.toThrow(/another change/);
    await expect(store(confirm).apply([...steps].reverse(), by)).rejects.toThrow(/another change/);
    await backend.updateFlag('b', { name: 'Crossed' }, null, null);
    await expect(store(confirm).apply(steps, by)).rejects.toThrow(/was changed after/);
    await store().apply(steps, confirmations.exempt(by));
    expect((await backend.definitions()).flags.map(({ key, enabled }) => [key, enabled])).toEqual([
      ['a', true],
      ['c', true],
      ['d', true],
    ]);
  });
});

describe('on a server that is not protected', () => {
  it('no confirmation is needed, and one that is given must fit', async () => {
    const { service, asked, update } = await start({ isProtected: false });
    await service.management.createFlag({ key: 'a', name: 'A' });
    expect((await asked(update({ key: 'a', name: 'B' }, 'yes'))).message).toMatch(/not a confirmation/);
    const { confirm } = await service.confirmablePreview(on, 'CONNECTED', 'ann');
    expect(await update(on, confirm)).toMatchObject({ value: { enabled: true } });
    expect(await update({ key: 'a', enabled: false })).toMatchObject({ value: { enabled: false } });
  });
});

it('nodes with the same secret take the confirmations of each other, and others do not', async () => {
  const store = new MemoryBackend();
  const confirmationSecret = Buffer.alloc(32, 1);
  const one = await start({ backend: store, confirmationSecret });
  const two = await start({ backend: store, confirmationSecret });
  const three = await start({ backend: store });
  await one.service.management.createFlag({ key: 'a', name: 'A' });
  const { confirm } = await one.service.confirmablePreview(on, 'CONNECTED', 'ann');
  expect((await three.asked(three.update(on, confirm))).message).toMatch(/not made by this server/);
  expect(await two.update(on, confirm)).toMatchObject({ value: { enabled: true } });
});

describe('on a protected server an undo', () => {
  async function changed() {
    let now = Date.parse('2026-06-01T00:00:00Z');
    const backend = new MemoryBackend({ now: () => new Date(now) });
    const started = await start({ backend, now: () => now });
    await started.service.management.createFlag({ key: 'a', name: 'A' });
    const { batch } = await started.service.management.updateFlag({ ...on });
    const undo = (confirm: string | null = null) =>
      started.service.changesOf({ caller: 'ann', confirm }).undoBatch({ batch: batch as string });
    return { ...started, undo, pass: (milliseconds: number) => (now += milliseconds) };
  }

  it('needs no confirmation within ten minutes, so that a mistake is taken back at once', async () => {
    const { undo, pass } = await changed();
    pass(10 * minute);
    expect(await undo()).toMatchObject({ value: [{ key: 'a', enabled: false }] });
  });

  it('of an undo needs one, because a chain of them would be a switch', async () => {
    const { undo, asked, service, backend } = await changed();
    const { batch } = await undo();
    const again = service.changesOf({ caller: 'ann', confirm: null }).undoBatch({ batch: batch as string });
    expect((await asked(again)).preview).toMatchObject({ on: 0 });
    expect((await backend.getFlag('a'))?.enabled).toBe(false);
  });

  it('needs one later, and passes with it', async () => {
    const { undo, pass, asked, backend } = await changed();
    pass(10 * minute + 1);
    const { preview } = await asked(undo());
    expect((await backend.getFlag('a'))?.enabled).toBe(true);
    expect(await undo(preview.confirm)).toMatchObject({ value: [{ key: 'a', enabled: false }] });
  });

  it('is refused with a confirmation that does not fit, also within ten minutes', async () => {
    const { undo, asked } = await changed();
    expect((await asked(undo('made up'))).message).toContain('is not a confirmation');
  });

  it('is not needed in place of a revert, which asks at any time', async () => {
    const { service, asked } = await changed();
    const revert = (confirm: string | null = null) =>
      service.changesOf({ caller: 'ann', confirm }).revertFlag({ key: 'a', revision: 1 });
    const { preview } = await asked(revert());
    expect(await revert(preview.confirm)).toMatchObject({ value: { enabled: false } });
  });
});
