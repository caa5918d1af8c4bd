import { afterEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { FeatureService } from '../../src/features/service.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

let service: FeatureService;
let now = Date.now();

afterEach(() => service.close());

async function start(): Promise<void> {
  now = Date.now();
  service = await FeatureService.open({ backend: new MemoryBackend(), now: () => now });
  await service.management.createFlag({ key: 'a', name: 'A' });
  await service.management.createFlag({ key: 'b', name: 'B' });
}

const twoColours = { type: 'STRING', offVariant: 'red' } as const;
const variants = (red: number, blue: number) => [
  { key: 'red', value: '#f00', weight: red },
  { key: 'blue', value: '#00f', weight: blue },
];
const shares = [
  { variant: 'red', weight: 1 },
  { variant: 'blue', weight: 1 },
];

/** As a request does, which loads the user. */
const stamp = async () => {
  await service.evaluator({ userId: ann });
  return service.stamp(ann);
};

describe('the answers for a user may be repeated', () => {
  it('while nothing changes, and a user without overrides has none that expire', async () => {
    await start();
    const first = await stamp();
    expect(first).not.toBeNull();
    expect(await stamp()).toBe(first);
    await service.management.setOverride({ userId: ann, flagKey: 'a', enabled: true });
    const second = await stamp();
    expect(second).not.toBeNull();
    expect(second).not.toBe(first);
  });

  it('to every device for as long as no flag is rolled out by percentage, and to every device of a user', async () => {
    await start();
    const { management } = service;
    expect(service.dependsOnDevice(null)).toBe(false);
    await management.updateFlag({ key: 'a', percentage: 50 });
    expect(service.dependsOnDevice(null)).toBe(false);
    const anonymous = service.stamp(null);
    await management.updateFlag({ key: 'a', enabled: true });
    expect(service.dependsOnDevice(null)).toBe(true);
    expect(service.stamp(null)).not.toBe(anonymous);
    expect(service.dependsOnDevice(ann)).toBe(false);
    await management.updateFlag({ key: 'a', percentage: 100 });
    expect(service.dependsOnDevice(null)).toBe(false);
  });

  it.each<[string, object, { readonly anonymous: boolean; readonly user: boolean }]>([
    [
      'a rule decides for a percentage',
      { rules: [{ when: {}, percentage: 50, on: false }] },
      { anonymous: true, user: false },
    ],
    ['a rule decides for everybody', { rules: [{ when: {}, on: false }] }, { anonymous: false, user: false }],
    ['variants compete', { ...twoColours, variants: variants(1, 1) }, { anonymous: true, user: false }],
    ['one variant has a weight', { ...twoColours, variants: variants(1, 0) }, { anonymous: false, user: false }],
    [
      'variants compete in a rule',
      { ...twoColours, variants: variants(1, 0), rules: [{ when: {}, serve: shares }] },
      { anonymous: true, user: false },
    ],
    [
      'variants compete by device',
      { ...twoColours, variants: variants(1, 1), bucketBy: '$device' },
      { anonymous: true, user: true },
    ],
    ['a rollout hashes the device', { percentage: 50, bucketBy: '$device' }, { anonymous: true, user: true }],
    ['a rollout hashes an attribute', { percentage: 50, bucketBy: 'company' }, { anonymous: false, user: false }],
  ])('to every device or not, if %s', async (_what, fields, { anonymous, user }) => {
    await start();
    await service.management.createFlag({ key: 'c', name: 'C', enabled: true, ...fields });
    expect({ anonymous: service.dependsOnDevice(null), user: service.dependsOnDevice(ann) }).toEqual({
      anonymous,
      user,
    });
  });

  it('not to every device of a user whose override turns a flag on whose variants compete by device', async () => {
    await start();
    const colours = { ...twoColours, variants: variants(1, 1), bucketBy: '$device' };
    await service.management.createFlag({ key: 'c', name: 'C', ...colours });
    expect(service.dependsOnDevice(null)).toBe(false);
    expect(service.dependsOnDevice(ann)).toBe(true);
  });

  it('not while an override is going to expire, and again once all of them have', async () => {
    await start();
    await service.management.setOverride({
      userId: ann,
      flagKey: 'a',
      enabled: true,
      expiresAt: new Date(now + 1_000),
    });
    await service.management.setOverride({
      userId: ann,
      flagKey: 'b',
      enabled: true,
      expiresAt: new Date(now + 5_000),
    });
    expect(await stamp()).toBeNull();
    now += 1_000;
    expect(await stamp()).toBeNull();
    now += 3_999;
    expect(await stamp()).toBeNull();
    now += 1;
    const after = await stamp();
    expect(after).not.toBeNull();
    expect(await stamp()).toBe(after);
    // A clock that is set back lets the overrides live again.
    now -= 1;
    expect(await stamp()).toBeNull();
    expect((await service.evaluator({ userId: ann })).evaluate('b').reason).toBe('OVERRIDE');
  });
});
