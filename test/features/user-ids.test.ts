import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rolloutBucket } from '../../src/core/rollout.js';
import { canonicalUserId } from '../../src/core/user-id.js';
import { createFeatures, type Features, type FeaturesUpdate, MemoryBackend, ValidationError } from '../../src/index.js';
import { openPGlite } from '../support/pglite.js';
import { badIds, goodIds } from '../support/user-ids.js';
import { until } from '../support/wait.js';

const uuid = '3F2B8C1E-7A54-4D3C-9B1A-0E5F6D7C8B9A';

describe.each([
  ['MemoryBackend', () => new MemoryBackend()],
  ['a database', () => openPGlite()],
] as const)('user ids over %s', (_name, open) => {
  let features: Features;
  beforeAll(async () => {
    features = await createFeatures({ backend: await open() });
    await features.createFlag({ key: 'off', name: 'O' });
    await features.createFlag({ key: 'half', name: 'H', enabled: true, percentage: 50 });
    await features.createFlag({ key: 'pro', name: 'P', enabled: true, conditions: { attributes: { plan: 'pro' } } });
    await features.createFlag({ key: 'beta', name: 'B', enabled: true, conditions: { groups: ['testers'] } });
  });
  afterAll(() => features.close());

  it.each([...goodIds, uuid])('%j has everything that a user can have', async id => {
    const known = canonicalUserId(id);
    const half = rolloutBucket('half', known) < 5_000;
    const user = features.for({ id });
    expect(await user.getAll()).toEqual({ beta: false, half, off: false, pro: false });

    const updates: FeaturesUpdate[] = [];
    const stop = features.watch({ id }, update => void updates.push(update));
    await until(() => updates.length === 1, 'the watch has its first answers');
    const override = await features.setOverride({ userId: id, flagKey: 'off', enabled: true }, { actor: id });
    expect(override).toMatchObject({ userId: known, createdById: known });
    expect(await features.addToGroup({ group: 'testers', userIds: [id, id] }, { actor: id })).toBe(1);
    const stored = await features.setUserAttributes({ userId: id, attributes: { plan: 'pro' } }, { actor: id });
    expect(stored).toEqual({ id: known, attributes: { plan: 'pro' } });
    expect(await user.getAll()).toEqual({ beta: true, half, off: true, pro: true });
    await until(() => updates.flatMap(update => update.features).length === 7, 'the watch has the three changes');

    const flag = await features.updateFlag({ key: 'off', name: `O of ${known.slice(0, 50)}` }, { actor: id });
    expect(flag.createdById).toBeNull();
    const own = await features.createFlag({ key: 'own', name: 'O' }, { actor: id });
    expect(own.createdById).toBe(known);
    expect((await features.listFlags()).find(({ key }) => key === 'own')?.createdById).toBe(known);
    expect((await features.updateFlag({ key: 'own', enabled: true }, { actor: 'ann' })).createdById).toBe(known);
    await features.deleteFlag({ key: 'own' });

    expect(await features.removeOverride({ userId: id, flagKey: 'off' }, { actor: id })).toBe(true);
    expect(await features.removeFromGroup({ group: 'testers', userIds: [id] }, { actor: id })).toBe(1);
    expect(await user.getAll()).toEqual({ beta: false, half, off: false, pro: true });
    expect(await features.deleteUser({ userId: id }, { actor: id })).toBe(true);
    expect(await features.deleteUser({ userId: id }, { actor: id })).toBe(false);
    expect(await user.getAll()).toEqual({ beta: false, half, off: false, pro: false });
    stop();
  });

  it.each(badIds)('%s is refused by every call, with its path, and changes nothing', async (_what, bad, message) => {
    const id = bad as string;
    const by = { actor: id };
    const calls: readonly (readonly [path: string, call: () => unknown])[] = [
      ['actor', () => features.createFlag({ key: 'new', name: 'N' }, by)],
      ['actor', () => features.updateFlag({ key: 'off', enabled: true }, by)],
      ['actor', () => features.deleteFlag({ key: 'off' }, by)],
      ['userId', () => features.setOverride({ userId: id, flagKey: 'off', enabled: true })],
      ['actor', () => features.setOverride({ userId: 'ann', flagKey: 'off', enabled: true }, by)],
      ['userId', () => features.removeOverride({ userId: id, flagKey: 'off' })],
      ['userIds.1', () => features.addToGroup({ group: 'g', userIds: ['ann', id] })],
      ['actor', () => features.addToGroup({ group: 'g', userIds: ['ann'] }, by)],
      ['userIds.0', () => features.removeFromGroup({ group: 'g', userIds: [id] })],
      ['userId', () => features.setUserAttributes({ userId: id, attributes: {} })],
      ['userId', () => features.deleteUser({ userId: id })],
    ];
    const { revision } = features.status;
    for (const [path, call] of calls) {
      const error = await Promise.resolve(call()).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(ValidationError);
      expect((error as ValidationError).issues).toEqual([
        { path: path.split('.'), message: expect.stringContaining(message) },
      ]);
    }
    expect(features.status.revision).toBe(revision);

    const expected = typeof bad === 'string' && bad !== '' ? ValidationError : TypeError;
    expect(() => features.for({ id })).toThrow(expected);
    expect(() => features.watch({ id }, () => {})).toThrow(expected);
    if (expected === ValidationError) expect(() => features.for({ id })).toThrow(/^id: Expected /);
  });
});

it('a seed takes and refuses the same ids', async () => {
  const backend = new MemoryBackend();
  backend.seed({
    flags: [{ key: 'off' }, { key: 'beta', enabled: true, conditions: { groups: ['testers'] } }],
    users: Object.fromEntries([...goodIds, uuid].map(id => [id, { plan: 'pro' }])),
    groups: { testers: [...goodIds, uuid] },
    overrides: [...goodIds, uuid].map(userId => ({ userId, flagKey: 'off', enabled: true })),
  });
  await using features = await createFeatures({ backend });
  for (const id of [...goodIds, uuid]) expect(await features.for({ id }).getAll()).toEqual({ beta: true, off: true });
  const { revision } = features.status;
  for (const [, id, message] of badIds) {
    expect(() => backend.seed({ groups: { testers: [id as string] } })).toThrow(message);
    if (typeof id === 'string') expect(() => backend.seed({ users: { [id]: {} } })).toThrow(message);
  }
  expect(features.status.revision).toBe(revision);
});
