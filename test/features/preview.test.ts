import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import type { Attributes } from '../../src/core/attributes.js';
import { UnavailableError, ValidationError } from '../../src/core/errors.js';
import type { UpdateFlagInput } from '../../src/core/inputs.js';
import { storedUserId } from '../../src/core/user-id.js';
import { Features } from '../../src/features/features.js';
import { FeatureService, type FeatureServiceOptions } from '../../src/features/service.js';
import { ValueReader } from '../../src/features/value-reader.js';
import { controlled } from '../support/controlled-backend.js';
import { longestBlock } from '../support/longest-block.js';
import { until } from '../support/wait.js';

const services: FeatureService[] = [];

afterEach(async () => {
  await Promise.all(services.splice(0).map(service => service.close()));
});

async function start(options: Partial<FeatureServiceOptions> = {}) {
  const store = new MemoryBackend();
  const backend = controlled(store);
  const service = await FeatureService.open({ backend, ...options });
  services.push(service);
  return { store, backend, service, manage: service.management };
}

interface Given {
  readonly attributes: Attributes;
  readonly isStaff: boolean;
  readonly override: { readonly enabled: boolean; readonly variant?: string } | null;
}

const themes = {
  type: 'STRING',
  offVariant: 'plain',
  variants: [
    { key: 'plain', value: 'white', weight: 0 },
    { key: 'dark', value: 'black', weight: 1 },
    { key: 'blue', value: '#00f', weight: 0 },
  ],
} as const;

describe('a preview', () => {
  it('counts answers that stay on or off with another variant or another value', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'theme', name: 'Theme', enabled: true, ...themes });
    await manage.addToGroup({ group: 'g', userIds: ['ann', 'bob'] });
    const preview = (input: Omit<UpdateFlagInput, 'key'>) => service.previewFlag({ key: 'theme', ...input }, 'STORED');
    const [plain, dark, blue] = themes.variants;
    const none = { on: 2, onAfter: 2, gain: 0, lose: 0 };
    expect(await preview({ name: 'Colours' })).toMatchObject({ ...none, changeVariant: 0 });
    expect(await preview({ variants: [plain, { ...dark, weight: 0 }, { ...blue, weight: 1 }] })).toMatchObject({
      ...none,
      changeVariant: 2,
    });
    expect(await preview({ variants: [plain, { ...dark, value: '#000' }, blue] })).toMatchObject({
      ...none,
      changeVariant: 2,
    });
    expect(await preview({ variants: [{ ...plain, value: '#fff' }, dark, blue] })).toMatchObject({
      ...none,
      changeVariant: 0,
    });
    expect(await preview({ enabled: false })).toMatchObject({ onAfter: 0, lose: 2, changeVariant: 0 });
    await manage.updateFlag({ key: 'theme', enabled: false });
    expect(await preview({ offVariant: 'blue' })).toMatchObject({ on: 0, onAfter: 0, changeVariant: 2 });
  });

  it('counts overrides as the evaluation does, and those that have expired not', async () => {
    let now = Date.parse('2026-06-01T00:00:00Z');
    const { service, manage } = await start({ now: () => now });
    await manage.createFlag({ key: 'a', name: 'A' });
    const expiresAt = new Date(now + 1_000);
    await manage.setOverride({ userId: 'ann', flagKey: 'a', enabled: false, expiresAt });
    await manage.setOverride({ userId: 'bob', flagKey: 'a', enabled: true });
    const preview = () => service.previewFlag({ key: 'a', enabled: true }, 'STORED');
    expect(await preview()).toMatchObject({ on: 1, onAfter: 1, gain: 0 });
    now += 1_000;
    expect(await preview()).toMatchObject({ on: 1, onAfter: 2, gain: 1, gaining: ['ann'] });
  });

  it('names ten examples at most', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    await manage.addToGroup({ group: 'g', userIds: Array.from({ length: 30 }, (_, index) => `user ${index}`) });
    const { gain, gaining, losing } = await service.previewFlag({ key: 'a', enabled: true }, 'STORED');
    expect({ gain, examples: new Set(gaining).size, losing }).toEqual({ gain: 30, examples: 10, losing: [] });
  });

  it('agrees with the answers before and after the update, for any update', async () => {
    const flagFields = fc.record(
      {
        enabled: fc.boolean(),
        percentage: fc.integer({ min: 0, max: 100 }),
        conditions: fc.constantFrom({}, { attributes: { plan: 'pro' } }, { groups: ['staff'] }),
        bucketBy: fc.constantFrom(null, '$id', 'company'),
        rules: fc.array(
          fc.record({
            when: fc.constantFrom({}, { groups: ['staff'] }, { attributes: { plan: 'free' } }),
            on: fc.boolean(),
            percentage: fc.integer({ min: 0, max: 100 }),
          }),
          { maxLength: 2 },
        ),
        variants: fc.tuple(fc.nat(3), fc.nat(3), fc.constantFrom('white', 'grey')).map(([dark, blue, value]) => [
          { key: 'plain', value, weight: 1 },
          { key: 'dark', value: 'black', weight: dark },
          { key: 'blue', value: '#00f', weight: blue },
        ]),
        offVariant: fc.constantFrom('plain', 'blue'),
      },
      { requiredKeys: [] },
    );
    const users = fc.array(
      fc.record({
        attributes: fc.record(
          { plan: fc.constantFrom('pro', 'free'), company: fc.constantFrom('x', 'y') },
          { requiredKeys: [] },
        ),
        isStaff: fc.boolean(),
        override: fc.constantFrom(
          null,
          null,
          { enabled: true },
          { enabled: false },
          { enabled: true, variant: 'blue' },
        ),
      }),
      { minLength: 1, maxLength: 20 },
    );
    const run = async (created: object, update: object, given: readonly Given[]) => {
      const { store, service, manage } = await start();
      const ids = given.map((_, index) => `user ${index}`);
      store.seed({
        flags: [{ key: 'f', ...themes, ...created }],
        users: Object.fromEntries(ids.map((id, index) => [id, given[index]?.attributes ?? {}])),
        groups: { staff: ids.filter((_, index) => given[index]?.isStaff) },
        overrides: given.flatMap(({ override }, index) =>
          override === null ? [] : [{ userId: ids[index] as string, flagKey: 'f', ...override }],
        ),
      });
      await Promise.all(ids.map(userId => service.subscribe({ userId }).next()));
      const answers = () => Promise.all(ids.map(async userId => (await service.evaluator({ userId })).evaluate('f')));
      const before = await answers();
      const stored = await service.previewFlag({ key: 'f', ...update }, 'STORED');
      const connected = await service.previewFlag({ key: 'f', ...update }, 'CONNECTED');
      await manage.updateFlag({ key: 'f', ...update });
      const after = await answers();
      const pairs = before.map((answer, index) => [answer, after[index] as typeof answer] as const);
      const count = (test: (pair: (typeof pairs)[number]) => boolean) => pairs.filter(test).length;
      const expected = {
        counted: given.length,
        total: given.length,
        isComplete: true,
        on: count(([was]) => was.enabled),
        onAfter: count(([, is]) => is.enabled),
        gain: count(([was, is]) => !was.enabled && is.enabled),
        lose: count(([was, is]) => was.enabled && !is.enabled),
        changeVariant: count(
          ([was, is]) => was.enabled === is.enabled && (was.variant !== is.variant || was.value !== is.value),
        ),
      };
      expect(stored).toMatchObject(expected);
      expect(connected).toMatchObject(expected);
    };
    await fc.assert(fc.asyncProperty(flagFields, flagFields, users, run), { numRuns: 60 });
  }, 60_000);
});

describe('a preview for connected viewers', () => {
  it('counts each user once, with the context of the subscription, and visitors without being examples', async () => {
    const { service, manage } = await start();
    await manage.createFlag({ key: 'a', name: 'A', conditions: { attributes: { plan: 'pro' } } });
    const pro = { attributes: { plan: 'pro' } };
    for (const context of [
      { userId: 'ann', ...pro },
      { userId: 'ann', ...pro },
      { userId: 'bob' },
      { device: 'device-1', ...pro },
      { device: 'device-1', ...pro },
      pro,
      pro,
      { targetingKey: 'company', ...pro },
      { targetingKey: 'company', ...pro },
    ]) {
      await service.subscribe(context).next();
    }
    expect(await service.previewFlag({ key: 'a', enabled: true }, 'CONNECTED')).toMatchObject({
      counted: 6,
      total: 6,
      isComplete: true,
      gain: 5,
      gaining: ['ann'],
    });
  });

  it('reads the users that it must read in few queries', async () => {
    const { service, manage, backend } = await start({ cacheTtl: 0 });
    await manage.createFlag({ key: 'a', name: 'A' });
    for (let index = 0; index < 600; index += 1) void service.subscribe({ userId: `user ${index}` });
    const before = backend.count('targeting');
    expect(await service.previewFlag({ key: 'a', enabled: true }, 'CONNECTED')).toMatchObject({ gain: 600 });
    expect(backend.count('targeting') - before).toBe(6);
  });

  it('says that it is not complete if users cannot be read', async () => {
    const { service, manage, backend } = await start();
    await manage.createFlag({ key: 'a', name: 'A' });
    await service.subscribe({ userId: 'ann' }).next();
    void service.subscribe({ userId: 'bob' });
    backend.fail('targeting', new UnavailableError());
    const preview = await service.previewFlag({ key: 'a', enabled: true }, 'CONNECTED');
    expect(preview).toMatchObject({ counted: 1, total: 2, isComplete: false, gaining: ['ann'] });
  });

  it.each(['known', 'unknown'] as const)(
    'keeps the event loop for less than 20 ms with 10,000 %s viewers',
    async kind => {
      const { service, manage } = await start();
      await manage.createFlag({ key: 'a', name: 'A', conditions: { attributes: { plan: { in: ['pro', 'team'] } } } });
      const viewers = Array.from({ length: 10_000 }, (_, index) =>
        service.subscribe({ userId: `user ${index}`, attributes: { plan: index % 2 === 0 ? 'pro' : 'free' } }),
      );
      // A viewer whose reader has not asked yet has to be read.
      if (kind === 'known') await Promise.all(viewers.map(viewer => viewer.next()));
      const preview = () => service.previewFlag({ key: 'a', enabled: true, percentage: 50 }, 'CONNECTED');
      await preview();
      let result: Awaited<ReturnType<typeof preview>> | undefined;
      const blocked = await longestBlock(async () => {
        result = await preview();
      });
      expect(result).toMatchObject({ counted: 10_000, isComplete: true });
      expect(blocked).toBeLessThan(20);
    },
  );
});

describe('a preview for stored users', () => {
  const fill = async ({ manage, store }: Awaited<ReturnType<typeof start>>, count: number) => {
    await manage.createFlag({ key: 'a', name: 'A' });
    store.seed({ groups: { g: Array.from({ length: count }, (_, index) => `user ${index}`) } });
  };

  it('reads them page by page, each once', async () => {
    const parts = await start();
    await fill(parts, 1_001);
    expect(await parts.service.previewFlag({ key: 'a', enabled: true }, 'STORED')).toMatchObject({
      counted: 1_001,
      total: 1_001,
      isComplete: true,
      gain: 1_001,
    });
  });

  it('answers at its deadline for the users that it has reached, and says so', async () => {
    const parts = await start();
    await fill(parts, 1_001);
    const release = parts.backend.hold('usersAfter');
    const startedAt = performance.now();
    const preview = await parts.service.previewFlag({ key: 'a', enabled: true }, 'STORED');
    expect(performance.now() - startedAt).toBeLessThan(2_100);
    expect(preview).toMatchObject({ counted: 0, total: 1_001, isComplete: false });
    release();
  });

  it('waits for another one, and refuses when that leaves no time', async () => {
    const parts = await start();
    await fill(parts, 10);
    const preview = () => parts.service.previewFlag({ key: 'a', enabled: true }, 'STORED');
    const release = parts.backend.hold('usersAfter');
    const first = preview();
    await until(() => parts.backend.count('usersAfter') === 1, 'the first preview reads');
    const refused = preview();
    await expect(refused).rejects.toThrow(/previews another change/);
    await expect(refused).rejects.toThrow(UnavailableError);
    expect(await first).toMatchObject({ isComplete: false });
    expect(parts.backend.count('usersAfter')).toBe(1);

    const waiting = preview();
    release();
    expect(await waiting).toMatchObject({ counted: 10, isComplete: true });
    expect(await preview()).toMatchObject({ counted: 10, isComplete: true });
  }, 10_000);

  it('rejects when the store cannot be read, and the next one reads again', async () => {
    const parts = await start();
    await fill(parts, 10);
    const mend = parts.backend.fail('usersAfter', new UnavailableError());
    const preview = () => parts.service.previewFlag({ key: 'a', enabled: true }, 'STORED');
    await expect(preview()).rejects.toThrow(UnavailableError);
    mend();
    expect(await preview()).toMatchObject({ counted: 10 });
  });

  it('finds users by the order of stored ids', async () => {
    const parts = await start();
    await fill(parts, 30);
    const { gaining } = await parts.service.previewFlag({ key: 'a', enabled: true }, 'STORED');
    const all = Array.from({ length: 30 }, (_, index) => `user ${index}`);
    const sorted = all.sort((a, b) => (storedUserId(a) < storedUserId(b) ? -1 : 1));
    expect(gaining).toEqual(sorted.slice(0, 10));
  });
});

it('features preview flags too, and refuse a population that there is not', async () => {
  const { service, manage } = await start();
  const features = new Features(
    service,
    user => user,
    () => {},
    new ValueReader(() => {}),
  );
  await manage.createFlag({ key: 'a', name: 'A' });
  await manage.addToGroup({ group: 'g', userIds: ['ann'] });
  await service.subscribe({ userId: 'bob' }).next();
  const input = { key: 'a', enabled: true };
  expect(await features.previewFlag(input)).toMatchObject({ gaining: ['bob'] });
  expect(await features.previewFlag(input, { population: 'STORED' })).toMatchObject({ gaining: ['ann'] });
  const wrong = features.previewFlag(input, { population: 'ALL' as 'STORED' });
  await expect(wrong).rejects.toThrow(ValidationError);
});
