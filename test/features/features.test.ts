import { format, inspect } from 'node:util';
import type { Snapshot as ClientSnapshot } from '@halyard/client';
import { afterEach, describe, expect, it } from 'vitest';
import type { Features } from '../../src/index.js';
import {
  type CreateFeaturesOptions,
  createFeatures,
  MemoryBackend,
  UnavailableError,
  ValidationError,
} from '../../src/index.js';
import { controlled } from '../support/controlled-backend.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

let opened: Features[] = [];

afterEach(async () => {
  await Promise.all(opened.map(features => features.close()));
  opened = [];
});

async function start(options: Partial<CreateFeaturesOptions> = {}) {
  const backend = controlled(new MemoryBackend());
  const features = await createFeatures({ backend, ...options });
  opened.push(features);
  return { backend, features };
}

describe('an answer', () => {
  it('is the same in a program that has put a Promise of its own in the place of the global one, as zone.js does', async () => {
    const { features } = await start({ onEvaluation: () => {} });
    await features.createFlag({ key: 'a', name: 'A' });
    await features.setOverride({ userId: 'ann', flagKey: 'a', enabled: true });
    const { Promise: native } = globalThis;
    globalThis.Promise = class extends native<unknown> {} as PromiseConstructor;
    try {
      expect(await features.for({ id: 'ann' }).isEnabled('a')).toBe(true);
    } finally {
      globalThis.Promise = native;
    }
  });
});

describe('an explanation', () => {
  it('is for the user, with the override as it is stored, and is told to no observer', async () => {
    const heard: string[] = [];
    const { features, backend } = await start({ onEvaluation: ({ key }) => heard.push(key) });
    await features.createFlag({ key: 'pro', name: 'Pro', enabled: true, conditions: { attributes: { plan: 'pro' } } });
    const free = await features.for({ id: 'ann', plan: 'free' }).explain('pro');
    expect(free).toMatchObject({ enabled: false, reason: 'CONDITIONS_NOT_MET', revision: features.status.revision });
    expect(free.text).toContain('plan is "free", expected "pro"');
    expect((await features.explain('pro')).text).toContain('an anonymous caller');
    expect(backend.count('overrides')).toBe(0);

    const override = await features.setOverride({ userId: 'ann', flagKey: 'pro', enabled: true }, { actor: 'bob' });
    const [step] = (await features.for({ id: 'ann' }).explain('pro')).steps;
    expect(step).toMatchObject({ name: 'OVERRIDE', outcome: 'DECIDED', override });
    expect(step?.text).toContain('It was set by "bob"');
    expect(heard).toEqual([]);
  });

  it('does without the stored override while it cannot be read, or where it was changed meanwhile', async () => {
    const { features, backend } = await start();
    await features.createFlag({ key: 'a', name: 'A' });
    await features.setOverride({ userId: 'ann', flagKey: 'a', enabled: true }, { actor: 'bob' });
    const back = backend.fail('overrides', new UnavailableError());
    const { enabled, reason, steps, text } = await features.for({ id: 'ann' }).explain('a');
    expect({ enabled, reason, override: steps[0]?.override }).toEqual({
      enabled: true,
      reason: 'OVERRIDE',
      override: null,
    });
    expect(text).toMatch(/An override of this user turns the flag on\. It never expires\.$/);
    back();
    const release = backend.hold('overrides');
    const pending = features.for({ id: 'ann' }).explain('a');
    await features.setOverride({ userId: 'ann', flagKey: 'a', enabled: false });
    release();
    const { enabled: then, steps: told } = await pending;
    expect(then).toBe(told[0]?.override?.enabled ?? then);
  });

  it('of an unknown flag has no steps', async () => {
    const { features } = await start();
    expect(await features.explain('nope')).toMatchObject({ enabled: false, reason: 'FLAG_NOT_FOUND', steps: [] });
  });
});

describe('embedded features', () => {
  it('check globally, for a user, and all at once', async () => {
    const { features } = await start();
    await features.createFlag({ key: 'open', name: 'Open', enabled: true });
    await features.createFlag({
      key: 'pro',
      name: 'Pro',
      enabled: true,
      conditions: { attributes: { plan: 'pro' } },
    });
    expect(await features.isEnabled('open')).toBe(true);
    expect(await features.isEnabled('pro')).toBe(false);
    expect(await features.for({ id: ann, plan: 'pro' }).isEnabled('pro')).toBe(true);
    expect(await features.for({ id: ann, plan: 'free' }).evaluate('pro')).toEqual({
      key: 'pro',
      enabled: false,
      reason: 'CONDITIONS_NOT_MET',
      type: 'BOOLEAN',
      variant: 'off',
      value: false,
      rule: null,
    });
    expect(await features.for({ id: ann, plan: 'pro' }).getAll()).toEqual({ open: true, pro: true });
    expect(await features.for(null).getAll()).toEqual({ open: true, pro: false });
  });

  it('give all answers of a user at one revision, as plain JSON without rules', async () => {
    const { features } = await start();
    const variants = [
      { key: 'grey', value: '#888', weight: 0 },
      { key: 'blue', value: '#00f', weight: 1 },
    ];
    const rules = [{ id: 'staff', when: { attributes: { plan: 'pro' } }, percentage: 100, on: true, serve: [] }];
    const fields = { name: 'Theme', enabled: true, type: 'STRING', variants, offVariant: 'grey', rules } as const;
    await features.createFlag({ key: 'theme', ...fields });
    await features.createFlag({ key: 'constructor', name: 'A name that objects have' });
    const snapshot = await features.for({ id: ann.toUpperCase(), plan: 'pro' }).snapshot();
    expect(snapshot).toEqual({
      subject: ann,
      revision: features.status.revision,
      answers: {
        constructor: { enabled: false, value: false, variant: 'off', reason: 'DISABLED' },
        theme: { enabled: true, value: '#00f', variant: 'blue', reason: 'RULE' },
      },
    });
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(await features.for({ id: 'auth0|5f7c' }).snapshot()).toMatchObject({ subject: 'auth0|5f7c' });
    expect(await features.snapshot()).toMatchObject({ subject: '', answers: { theme: { reason: 'ENABLED' } } });
    const bootstrap: ClientSnapshot = snapshot;
    expect(bootstrap.subject).toBe(ann);
  });

  it('answer for a flag that does not exist as told, else as set up', async () => {
    const { features } = await start();
    expect(await features.isEnabled('nope')).toBe(false);
    expect(await features.isEnabled('nope', true)).toBe(true);
    const open = await start({ defaultEnabled: true });
    expect(await open.features.isEnabled('nope')).toBe(true);
    expect(await open.features.isEnabled('nope', false)).toBe(false);
  });

  it("take a user's dates as ISO 8601 text and leave out undefined attributes", async () => {
    const { features } = await start();
    await features.createFlag({
      key: 'early',
      name: 'Early',
      enabled: true,
      conditions: { attributes: { joined: { lt: '2024-01-01' }, left: { exists: false } } },
    });
    const user = { id: ann, joined: new Date('2023-05-01'), left: undefined };
    expect(await features.for(user).isEnabled('early')).toBe(true);
  });

  it('see their own changes at once, and take an id in any case', async () => {
    const { features } = await start();
    await features.createFlag({ key: 'a', name: 'A' });
    const user = features.for({ id: ann.toUpperCase() });
    expect(await user.isEnabled('a')).toBe(false);
    await features.setOverride({ userId: ann, flagKey: 'a', enabled: true });
    expect(await user.isEnabled('a')).toBe(true);
    expect(await features.removeOverride({ userId: ann.toUpperCase(), flagKey: 'a' })).toBe(true);
    expect(await user.isEnabled('a')).toBe(false);
    await features.updateFlag({ key: 'a', enabled: true, conditions: { groups: ['beta'] } });
    expect(await features.addToGroup({ group: 'beta', userIds: [ann] })).toBe(1);
    expect(await user.isEnabled('a')).toBe(true);
    expect(await features.removeFromGroup({ group: 'beta', userIds: [ann] })).toBe(1);
    expect(await user.isEnabled('a')).toBe(false);
    expect((await features.listFlags()).map(flag => [flag.key, flag.version])).toEqual([['a', 2]]);
    expect(await features.deleteFlag({ key: 'a' })).toBe(true);
    expect(await features.deleteFlag({ key: 'a' })).toBe(false);
  });

  it('of a user seen before cost no query, however many flags there are', async () => {
    const { features, backend } = await start();
    for (let i = 0; i < 20; i += 1) await features.createFlag({ key: `flag-${i}`, name: 'F', percentage: 50 });
    const user = features.for({ id: ann });
    await user.getAll();
    const before = backend.count('targeting') + backend.count('changes') + backend.count('definitions');
    await user.getAll();
    expect(backend.count('targeting') + backend.count('changes') + backend.count('definitions')).toBe(before);
  });

  it('report each evaluation to the observer', async () => {
    const seen: string[] = [];
    const { features } = await start({
      onEvaluation: (evaluation, subject) => seen.push(`${subject.userId} ${evaluation.key} ${evaluation.reason}`),
    });
    await features.createFlag({ key: 'a', name: 'A', enabled: true });
    await features.for({ id: ann }).isEnabled('a');
    await features.isEnabled('nope');
    await features.getAll();
    expect(seen).toEqual([`${ann} a ENABLED`, 'null nope FLAG_NOT_FOUND', 'null a ENABLED']);
  });

  it('never answer from a user that is newer than the definitions', async () => {
    const { features, backend } = await start({ pollInterval: 3_600_000 });
    const [groups, flag] = [{ groups: ['beta'] }, { key: 'a', name: 'A', description: null, percentage: 100 }];
    await features.createFlag({ ...flag, enabled: true, conditions: groups });
    // Another process turns the flag off, then adds the user; no hint of either arrives here.
    backend.loseHints();
    await backend.updateFlag('a', { enabled: false }, null, null);
    await backend.addToGroup('beta', [ann], null);
    expect(await features.for({ id: ann }).evaluate('a')).toMatchObject({ enabled: false, reason: 'DISABLED' });
  });

  it('take an attribute that JSON has no value for as missing, and a bigint as a number', async () => {
    const { features } = await start();
    const attributes = { none: { exists: false }, account: 10 };
    await features.createFlag({ key: 'a', name: 'A', enabled: true, conditions: { attributes } });
    for (const none of [new Date(Number.NaN), Number.NaN, () => 1, Symbol('x'), undefined, null]) {
      expect(await features.for({ id: ann, account: 10n, none }).isEnabled('a')).toBe(true);
    }
    expect(await features.for({ id: ann, account: 10n, none: new Map() }).isEnabled('a')).toBe(false);
    expect(() => features.for({ id: ann, account: 2n ** 53n + 1n })).toThrow(/"account".*Write it as text/);
  });

  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    ['ann', 'a string'],
  ])('say what to write in place of %j', async (user, found) => {
    const { features } = await start();
    const message = `Expected a user, such as { id: "ann" }, or null for anonymous; found ${found}.`;
    expect(() => features.for(user as never)).toThrow(new TypeError(message));
    expect(() => features.watch(user as never, () => {})).toThrow(new TypeError(message));
  });

  it('hand out subjects whose written form names the user and tells no attributes', async () => {
    const subjects: unknown[] = [];
    const { features } = await start({ onEvaluation: (_evaluation, subject) => subjects.push(subject) });
    await features.for({ id: ann.toUpperCase(), email: 'ann@example.com' }).isEnabled('a');
    await features.isEnabled('a');
    expect(JSON.parse(JSON.stringify(subjects))).toEqual([
      { userId: ann, targetingKey: null, device: null },
      { userId: null, targetingKey: null, device: null },
    ]);
    for (const written of [inspect(subjects, { depth: 9 }), format('%o %O', subjects[0], subjects[0])]) {
      expect(written).toContain(`userId: '${ann}'`);
      expect(written).not.toContain('ann@example.com');
    }
  });

  it('hash the device of an anonymous user, and of nobody else', async () => {
    const seen: unknown[] = [];
    const { features } = await start({ onEvaluation: (_evaluation, subject) => seen.push(subject.toJSON()) });
    // In bucket 321 and 6200; Ann is in bucket 8725.
    const [inside, outside] = ['device-000002', 'device-000001'];
    await features.createFlag({ key: 'a', name: 'A', enabled: true, percentage: 10 });
    const reasonFor = async (user: { id: string; device?: string } | null, device?: string | null) =>
      (await features.for(user, { device }).evaluate('a')).reason;
    expect(await reasonFor(null, inside)).toBe('ROLLOUT');
    expect(await reasonFor(null, outside)).toBe('OUTSIDE_ROLLOUT');
    for (const none of [null, undefined]) expect(await reasonFor(null, none)).toBe('USER_REQUIRED');
    expect(await reasonFor({ id: ann }, inside)).toBe('OUTSIDE_ROLLOUT');
    // A property of this name is an attribute like any other.
    expect(await reasonFor({ id: ann, device: 'phone' })).toBe('OUTSIDE_ROLLOUT');
    expect(seen.slice(0, 2)).toEqual([
      { userId: null, targetingKey: null, device: inside },
      { userId: null, targetingKey: null, device: outside },
    ]);

    const updates: string[][] = [];
    const watch = (device: string) => {
      const answers: string[] = [];
      updates.push(answers);
      return features.watch(null, ({ features: [answer] }) => answers.push(answer?.reason ?? ''), { device });
    };
    const stops = [watch(inside), watch(outside)];
    await expect.poll(() => updates.map(answers => answers.length)).toEqual([1, 1]);
    await features.updateFlag({ key: 'a', percentage: 63 });
    await expect.poll(() => updates).toEqual([['ROLLOUT'], ['OUTSIDE_ROLLOUT', 'ROLLOUT']]);
    for (const stop of stops) stop();
  });

  it.each(['', 'short', 'x'.repeat(65), 'a b c d e f', 12_345_678, {}])('refuse the device %j', async device => {
    const { features } = await start();
    for (const user of [null, { id: ann }]) {
      expect(() => features.for(user, { device: device as string })).toThrow(/^device: Expected 8 to 64/);
      expect(() => features.watch(user, () => {}, { device: device as string })).toThrow(ValidationError);
    }
  });

  it.each([7, '', undefined])('refuse a user whose id is %j', async id => {
    const { features } = await start();
    expect(() => features.for({ id } as never)).toThrow(TypeError);
  });

  it('refuse an actor that is not a user id, and keep a UUID in lower case', async () => {
    const { features } = await start();
    await expect(features.createFlag({ key: 'a', name: 'A' }, { actor: 'ann ' })).rejects.toThrow('actor');
    const flag = await features.createFlag({ key: 'a', name: 'A' }, { actor: ann.toUpperCase() });
    expect(flag.createdById).toBe(ann);
  });

  it('add to a group, and remove, more users than one change may name', async () => {
    const { features, backend } = await start();
    const userIds = Array.from({ length: 45_000 }, (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`);
    await features.createFlag({ key: 'a', name: 'A', enabled: true, conditions: { groups: ['beta'] } });
    await features.addToGroup({ group: 'beta', userIds: [userIds[30_000] as string] });
    const progress: string[] = [];
    const onProgress = (done: number, total: number) => progress.push(`${done} of ${total}`);
    expect(await features.addToGroup({ group: 'beta', userIds }, { onProgress })).toBe(44_999);
    expect(progress).toEqual(['20000 of 45000', '40000 of 45000', '45000 of 45000']);
    expect(backend.count('addToGroup')).toBe(4);
    expect(await features.for({ id: userIds[44_999] as string }).isEnabled('a')).toBe(true);
    expect(await features.removeFromGroup({ group: 'beta', userIds }, { actor: ann })).toBe(45_000);
    expect(await features.for({ id: userIds[44_999] as string }).isEnabled('a')).toBe(false);
  });

  it('over a MemoryBackend answer with flags that were seeded or cleared just now', async () => {
    const backend = new MemoryBackend();
    const features = await createFeatures({ backend });
    opened.push(features);
    backend.seed({ flags: [{ key: 'a', enabled: true }, { key: 'b' }] });
    expect(await features.getAll()).toEqual({ a: true, b: false });
    backend.seed({ overrides: [{ userId: ann, flagKey: 'b', enabled: true }] });
    expect(await features.for({ id: ann }).isEnabled('b')).toBe(true);
    backend.clear();
    expect(await features.for({ id: ann }).getAll()).toEqual({});
  });

  it('need somewhere to keep flags', async () => {
    await expect(createFeatures({})).rejects.toThrow('`backend`, `databaseUrl` and `dataDir`');
  });
});

describe('management refuses', () => {
  it.each<[string, (features: Features) => Promise<unknown>, string[]]>([
    ['a key with a space', f => f.createFlag({ key: 'a b', name: 'A' }), ['key']],
    ['a key that begins with a dot', f => f.createFlag({ key: '.a', name: 'A' }), ['key']],
    ['an empty name', f => f.createFlag({ key: 'a', name: '' }), ['name']],
    ['a name of 201 characters', f => f.createFlag({ key: 'a', name: 'x'.repeat(201) }), ['name']],
    ['a NUL in a name', f => f.createFlag({ key: 'a', name: 'a\0b' }), ['name']],
    ['half a surrogate pair', f => f.createFlag({ key: 'a', name: 'a\ud800' }), ['name']],
    ['101 percent', f => f.createFlag({ key: 'a', name: 'A', percentage: 101 }), ['percentage']],
    ['half a percent', f => f.createFlag({ key: 'a', name: 'A', percentage: 0.5 }), ['percentage']],
    ['two faults at once', f => f.createFlag({ key: '', name: '' }), ['key', 'name']],
    [
      'an unknown operator',
      f => f.createFlag({ key: 'a', name: 'A', conditions: { attributes: { tier: { like: 'x' } } } }),
      ['conditions.attributes.tier.like'],
    ],
    ['an unknown field', f => f.createFlag({ key: 'a', name: 'A', colour: 'red' } as never), ['colour']],
    ['a missing name', f => f.createFlag({ key: 'a' } as never), ['name']],
    ['null as the name of a new flag', f => f.createFlag({ key: 'a', name: null } as never), ['name']],
    ['version 0', f => f.updateFlag({ key: 'a', expectedVersion: 0 }), ['expectedVersion']],
    ['a user id with a line break', f => f.setOverride({ userId: 'ann\n', flagKey: 'a', enabled: true }), ['userId']],
    [
      'an expiry in the past',
      f => f.setOverride({ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date(0) }),
      ['expiresAt'],
    ],
    [
      'an invalid date',
      f => f.setOverride({ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date('never') }),
      ['expiresAt'],
    ],
    ['a list of ids with a bad one', f => f.addToGroup({ group: 'g', userIds: [ann, ''] }), ['userIds.1']],
    ['an empty group name', f => f.addToGroup({ group: '', userIds: [ann] }), ['group']],
    [
      '20,001 users and a bad one',
      f => f.addToGroup({ group: 'g', userIds: [...Array.from({ length: 20_001 }, () => ann), ' x'] }),
      ['userIds.20001'],
    ],
    [
      '20,001 users in a group without a name',
      f => f.removeFromGroup({ group: '', userIds: Array.from({ length: 20_001 }, () => ann) }),
      ['group'],
    ],
    ['attributes that are a list', f => f.setUserAttributes({ userId: ann, attributes: [] as never }), ['attributes']],
    [
      '101 attributes',
      f =>
        f.setUserAttributes({
          userId: ann,
          attributes: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`a${i}`, i])),
        }),
      ['attributes'],
    ],
    [
      'attributes of 17 kB',
      f => f.setUserAttributes({ userId: ann, attributes: { a: 'x'.repeat(17_000) } }),
      ['attributes'],
    ],
    [
      'a number that is not finite',
      f => f.setUserAttributes({ userId: ann, attributes: { a: { b: Number.POSITIVE_INFINITY } } }),
      ['attributes.a.b'],
    ],
  ])('%s, naming each path and changing nothing', async (_what, call, paths) => {
    const { features } = await start();
    const error = await call(features).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as ValidationError).issues.map(issue => issue.path.join('.'))).toEqual(paths);
    expect(features.status.revision).toBe(0);
  });
});
