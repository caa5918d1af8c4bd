import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { ConflictsError, FlagNotFoundError, ValidationError } from '../../src/core/errors.js';
import type { UpdateFlagInput } from '../../src/core/inputs.js';
import { ConfirmationRequiredError } from '../../src/features/confirmation.js';
import { FeatureService } from '../../src/features/service.js';
import { createFeatures, type Features } from '../../src/index.js';
import { controlled } from '../support/controlled-backend.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const variants = ['a', 'b'].map(key => ({ key, value: key, weight: 1 }));
const one = variants.slice(0, 1);

/** The flags `f0` to `f4`, which have the variants `a` and `b`. */
async function start(backend: Backend = new MemoryBackend()) {
  const features: Features = await createFeatures({ backend, pollInterval: 3_600_000 });
  cleanups.push(() => features.close());
  for (let index = 0; index < 5; index += 1) {
    await features.createFlag({ key: `f${index}`, name: 'F', type: 'STRING', variants, offVariant: 'a' });
  }
  return { backend, features };
}

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    reason => reason as unknown,
  );

/** The faults of an update that must change nothing. */
async function faultsOf(features: Features, backend: Backend, flags: unknown): Promise<string[]> {
  const before = await backend.definitions();
  const error = await errorOf(features.updateFlags({ flags: flags as UpdateFlagInput[] }));
  expect(await backend.definitions()).toEqual(before);
  if (!(error instanceof ValidationError)) throw error ?? new Error('It succeeded.');
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('an update of several flags', () => {
  it('changes them as one batch with one note, and returns them in the order of the input', async () => {
    const { backend, features } = await start();
    const input = {
      flags: [
        { key: 'f3', enabled: true },
        { key: 'f0', variants: one },
        { key: 'f1', description: 'Why', expectedVersion: 1 },
        { key: 'f2', name: 'F' },
      ],
      note: 'Launch',
    };
    const flags = await features.updateFlags(input, { actor: 'ann' });
    expect(flags.map(({ key, version, enabled }) => [key, version, enabled])).toEqual([
      ['f3', 2, true],
      ['f0', 2, false],
      ['f1', 2, false],
      ['f2', 1, false],
    ]);
    const { changes } = await backend.changes(5, 100);
    expect(changes.map(({ kind, flagKey, note }) => [kind, flagKey, note])).toEqual([
      ['FLAG_UPDATED', 'f3', 'Launch'],
      ['FLAG_UPDATED', 'f0', 'Launch'],
      ['FLAG_UPDATED', 'f1', 'Launch'],
    ]);
    expect(new Set(changes.map(({ batch }) => batch)).size).toBe(1);
    expect(await features.updateFlags({ flags: [] })).toEqual([]);
  });

  it('lists the faults of all of them with their paths, and changes nothing', async () => {
    const { backend, features } = await start();
    const flags = [
      { key: 'f0', enabled: true },
      { key: 'f1', percentage: 200, conditions: { attributes: { a: { like: 1 } } } },
      { key: 'f2', note: 'Why', confirm: 'x', extra: 1 },
      'f3',
    ];
    const faults = await faultsOf(features, backend, flags);
    expect(faults.map(text => text.split(':')[0])).toEqual([
      'flags.1.percentage',
      'flags.1.conditions.attributes.a.like',
      'flags.2.note',
      'flags.2.confirm',
      'flags.2.extra',
      'flags.3',
    ]);
    expect(faults[2]).toBe('flags.2.note: State it once for all flags, beside "flags".');
  });

  it('is checked against the fields that stay', async () => {
    const { backend, features } = await start();
    const rules = [{ id: 'r', when: {}, serve: [{ variant: 'b', weight: 1 }] }];
    await features.updateFlag({ key: 'f1', rules });
    const flags = [
      { key: 'f0', variants: one },
      { key: 'f1', variants: one },
      { key: 'f2', offVariant: 'c' },
    ];
    expect(await faultsOf(features, backend, flags)).toEqual([
      'flags.1.variants: The variant "b" is named by the rule "r": change "rules" too, or keep it.',
      'flags.2.offVariant: The flag has no variant "c". Its variants are a, b.',
    ]);
  });

  it('looks for the overrides of all removed variants in one call', async () => {
    const backend = controlled(new MemoryBackend());
    const { features } = await start(backend);
    for (const flagKey of ['f0', 'f2', 'f3']) {
      await features.setOverride({ userId: 'ann', flagKey, enabled: true, variant: 'b' });
    }
    const flags = [0, 1, 2].map(index => ({ key: `f${index}`, variants: one }));
    expect(await faultsOf(features, backend, flags)).toEqual(
      [0, 2].map(
        index =>
          `flags.${index}.variants: The variant "b" is named by an override of the user "ann". Change or remove the overrides that name it first.`,
      ),
    );
    expect(backend.count('overriddenVariants')).toBe(1);
  });

  it('refuses a flag that is stated twice, and more than 500', async () => {
    const { backend, features } = await start();
    expect(await faultsOf(features, backend, [{ key: 'f0' }, { key: 'f1' }, { key: 'f0', enabled: true }])).toEqual([
      'flags.2.key: The flag "f0" is at flags.0 already. State it once.',
    ]);
    const many = Array.from({ length: 501 }, (_, index) => ({ key: `k${index}` }));
    expect(await faultsOf(features, backend, many)).toEqual(['flags: Expected at most 500 flags.']);
  });

  it('of a flag that does not exist says which', async () => {
    const { features } = await start();
    const error = await errorOf(features.updateFlags({ flags: [{ key: 'f0', enabled: true }, { key: 'nope' }] }));
    expect(error).toBeInstanceOf(FlagNotFoundError);
    expect(error).toMatchObject({ key: 'nope', path: ['flags', '1', 'key'] });
    expect((await features.listFlags())[0]).toMatchObject({ key: 'f0', enabled: false });
  });

  it('tells every flag that is at another version, as it is now, and changes nothing', async () => {
    const { backend, features } = await start();
    for (const key of ['f1', 'f3']) await features.updateFlag({ key, enabled: true });
    const before = await backend.definitions();
    const flags = ['f0', 'f1', 'f2', 'f3'].map(key => ({ key, name: 'New', expectedVersion: 1 }));
    const error = await errorOf(features.updateFlags({ flags }));
    expect(error).toBeInstanceOf(ConflictsError);
    const about = { group: null, userId: null, revision: null };
    expect(error).toMatchObject({
      conflicts: [
        { ...about, flagKey: 'f1', message: 'The flag "f1" is at version 2, not 1. Read it again.' },
        { ...about, flagKey: 'f3', message: 'The flag "f3" is at version 2, not 1. Read it again.' },
      ],
      flags: [
        { key: 'f1', version: 2 },
        { key: 'f3', version: 2 },
      ],
    });
    expect(await backend.definitions()).toEqual(before);
  });

  it('is checked again if a flag is changed between the check and the write', async () => {
    const { backend, features } = await start();
    const { definitions } = backend;
    const crossed = async () => {
      backend.definitions = definitions;
      const read = await backend.definitions();
      const serve = [{ variant: 'b', weight: 1 }];
      await backend.updateFlag('f1', { rules: [{ id: 'r', when: {}, percentage: 100, on: true, serve }] }, null, null);
      return read;
    };
    backend.definitions = crossed;
    const flags = [
      { key: 'f0', variants: one },
      { key: 'f1', variants: one },
    ];
    const error = await errorOf(features.updateFlags({ flags }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ path: ['flags', '1', 'variants'] });
    backend.definitions = async () => {
      backend.definitions = definitions;
      const read = await backend.definitions();
      await backend.updateFlag('f2', { variants: one }, null, null);
      return read;
    };
    const other = await errorOf(features.updateFlags({ flags: [{ key: 'f2', offVariant: 'b' }] }));
    expect(other).toMatchObject({ code: 'BAD_USER_INPUT', path: ['flags', '0', 'offVariant'] });
    backend.definitions = crossed;
    // A plain field is not checked against others: the last change wins.
    expect(await features.updateFlags({ flags: [{ key: 'f1', enabled: true }] })).toMatchObject([{ version: 3 }]);
  });
});

it('an error tells 500 conflicts, and counts the others', () => {
  const about = { group: null, userId: null, revision: null };
  const conflicts = Array.from({ length: 700 }, (_, index) => ({
    ...about,
    flagKey: `f${index}`,
    message: `${index}.`,
  }));
  const flags = conflicts.map(({ flagKey }) => ({ key: flagKey }) as never);
  const [first, ...rest] = conflicts;
  const error = new ConflictsError([first as (typeof conflicts)[number], ...rest], flags);
  expect(error.conflicts).toHaveLength(500);
  expect(error.conflicts.at(-1)).toEqual({
    ...about,
    flagKey: null,
    message: 'Conflicts that are not listed here: 201.',
  });
  expect(error.flags).toHaveLength(499);
  expect(error.message).toBe('0. Conflicts in all: 700.');
});

describe('on a protected server', () => {
  it('changes of several flags pass with the confirmation of exactly this change, and a dry run needs none', async () => {
    const backend = new MemoryBackend();
    const service = await FeatureService.open({ backend, pollInterval: 3_600_000, isProtected: true });
    cleanups.push(() => service.close());
    for (const key of ['a', 'b']) await service.management.createFlag({ key, name: key });
    const changes = (confirm: string | null) => service.changesOf({ caller: 'ann', confirm });
    const flags = ['a', 'b'].map(key => ({ key, enabled: true }));
    const definitions = ['b', 'c'].map(key => ({ key, name: key, enabled: true, percentage: 5 }));
    const dry = await changes(null).applyDefinitions({ definitions, prune: true, dryRun: true });
    expect(dry.value.plan.map(({ action, key }) => `${action} ${key}`)).toEqual(['DELETE a', 'UPDATE b', 'CREATE c']);

    const confirmationOf = async (change: Promise<unknown>) => {
      const before = await backend.definitions();
      const error = await errorOf(change);
      expect(error).toBeInstanceOf(ConfirmationRequiredError);
      expect(await backend.definitions()).toEqual(before);
      return (error as ConfirmationRequiredError).preview.confirm;
    };
    const update = (confirm: string | null, some = flags) => changes(confirm).updateFlags({ flags: some });
    const confirm = await confirmationOf(update(null));
    await confirmationOf(update(confirm, flags.slice(0, 1)));
    expect((await update(confirm)).value).toMatchObject([{ enabled: true }, { enabled: true }]);

    const apply = (token: string | null) => changes(token).applyDefinitions({ definitions, prune: true });
    await confirmationOf(apply(confirm));
    expect((await apply(await confirmationOf(apply(null)))).value.plan).toHaveLength(3);
    expect((await service.flags()).map(({ key, percentage }) => [key, percentage])).toEqual([
      ['b', 5],
      ['c', 5],
    ]);
  });
});
