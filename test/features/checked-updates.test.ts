import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { ValidationError, VersionConflictError } from '../../src/core/errors.js';
import { FeatureService } from '../../src/features/service.js';
import { newFlag } from '../support/flags.js';

// Updates of fields that are checked together with the fields that stay.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(backend: Backend = new MemoryBackend()): Promise<FeatureService> {
  const service = await FeatureService.open({ backend, pollInterval: 3_600_000 });
  cleanups.push(() => service.close());
  return service;
}

const variants = ['a', 'b'].map(key => ({ key, value: key, weight: 1 }));
const theme = newFlag('theme', { type: 'STRING', variants, offVariant: 'a', enabled: true });

describe('an update of related fields', () => {
  it('succeeds beside nineteen others, unless it expects a version', async () => {
    const { management } = await open();
    await management.createFlag(theme);
    const updates = Array.from({ length: 20 }, (_, index) =>
      management.updateFlag({
        key: 'theme',
        variants: [...variants, { key: `v${index}`, value: String(index), weight: 0 }],
        conditions: { groups: [`g${index}`] },
      }),
    );
    const versions = (await Promise.all(updates)).map(({ value }) => value.version);
    expect(versions.sort((one, other) => one - other)).toEqual(Array.from({ length: 20 }, (_, index) => index + 2));
  });

  it('tells of another version before it tells of faults', async () => {
    const { management } = await open();
    await management.createFlag(theme);
    await management.updateFlag({ key: 'theme', rules: [{ when: {}, serve: [{ variant: 'b', weight: 1 }] }] });
    const stale = management.updateFlag({ key: 'theme', expectedVersion: 1, variants: variants.slice(0, 1) });
    await expect(stale).rejects.toThrow(VersionConflictError);
  });

  it('is checked against the version that it changes', async () => {
    const backend = new MemoryBackend();
    const { management } = await open(backend);
    await management.createFlag(theme);
    const serveB = { rules: [{ id: 'r', when: {}, percentage: 100, on: true, serve: [{ variant: 'b', weight: 1 }] }] };
    const { getFlag } = backend;
    backend.getFlag = async key => {
      const flag = await getFlag.call(backend, key);
      backend.getFlag = getFlag;
      await backend.updateFlag('theme', serveB, null, null);
      return flag;
    };
    const removal = { key: 'theme', variants: variants.slice(0, 1) };
    await expect(management.updateFlag({ ...removal, expectedVersion: 2 })).rejects.toThrow(VersionConflictError);
    await expect(management.updateFlag({ ...removal, expectedVersion: 2 })).rejects.toThrow(ValidationError);
    expect((await backend.getFlag('theme'))?.variants).toHaveLength(2);
  });

  it('is not refused for what is stored already and only refused when it is written', async () => {
    const backend = new MemoryBackend();
    const conditions = { attributes: { $plan: 'pro' } };
    await backend.createFlag({ ...theme, conditions }, null);
    const { management } = await open(backend);
    const rules = [{ when: {} }];
    expect((await management.updateFlag({ key: 'theme', rules })).value.rules).toHaveLength(1);
    await expect(management.updateFlag({ key: 'theme', rules, conditions })).rejects.toThrow(/conditions/);
  });

  it('is not refused for faults that the stored flag has already', async () => {
    const backend = new MemoryBackend();
    await backend.createFlag({ ...theme, rules: [{ id: 'r' }] as never }, null);
    const { management } = await open(backend);
    const conditions = { groups: ['staff'] };
    expect((await management.updateFlag({ key: 'theme', conditions })).value.conditions).toEqual(conditions);
    await expect(management.updateFlag({ key: 'theme', rules: [{ id: 'r' }] as never })).rejects.toThrow(/rules/);
  });

  it('may remove a variant that only expired overrides name', async () => {
    const backend = new MemoryBackend();
    await backend.createFlag(theme, null);
    const override = { userId: 'ann', flagKey: 'theme', enabled: true, variant: 'b', reason: null };
    await backend.setOverride({ ...override, expiresAt: new Date(1) }, null);
    const { management } = await open(backend);
    const removal = { key: 'theme', variants: variants.slice(0, 1) };
    expect((await management.updateFlag(removal)).value.variants).toHaveLength(1);
    await management.updateFlag({ key: 'theme', variants });
    await backend.setOverride({ ...override, expiresAt: null }, null);
    await expect(management.updateFlag(removal)).rejects.toThrow(/an override of the user "ann"/);
  });
});

it('a stored rule with a hundred thousand fields stops neither a start nor other flags', async () => {
  const backend = new MemoryBackend();
  const rule = Object.fromEntries(Array.from({ length: 130_000 }, (_, index) => [`k${index}`, index]));
  await backend.createFlag({ ...theme, rules: [rule, { ...rule, serve: [rule] }] as never }, null);
  const service = await open(backend);
  await service.management.createFlag(newFlag('plain', { enabled: true }));
  const evaluator = await service.evaluator({});
  expect(evaluator.evaluate('plain').enabled).toBe(true);
  expect(evaluator.evaluate('theme')).toMatchObject({ enabled: false, reason: 'CONDITIONS_NOT_MET', value: null });
});
