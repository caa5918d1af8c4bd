import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { ConflictsError, ValidationError } from '../../src/core/errors.js';
import { type CreateFlagInput, flagInput, type NewFlag } from '../../src/core/inputs.js';
import type { AppliedDefinitions } from '../../src/features/features.js';
import { createFeatures, type Features } from '../../src/index.js';
import { Draw, randomFlag } from '../core/random-flag.js';
import { newFlag } from '../support/flags.js';
import { openPGlite } from '../support/pglite.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(backend: Backend = new MemoryBackend()): Promise<{ backend: Backend; features: Features }> {
  const features = await createFeatures({ backend, pollInterval: 3_600_000 });
  cleanups.push(() => features.close());
  return { backend, features };
}

/** The whole log, and all flags with their versions. */
async function everything(backend: Backend) {
  return { definitions: await backend.definitions(), log: await backend.changes(0, 100_000) };
}

const stored = async (features: Features) => (await features.listFlags()).map(flagInput);
/** As JSON keeps it: the order of members, and the sign of -0, are not kept. */
const plain = (flags: readonly NewFlag[]) => JSON.parse(JSON.stringify(flags.map(flagInput))) as unknown;
const outline = ({ plan }: Pick<AppliedDefinitions, 'plan'>) => plan.map(({ action, key }) => `${action} ${key}`);

async function faultsOf(promise: Promise<unknown>): Promise<string[]> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ValidationError)) throw error ?? new Error('It succeeded.');
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

async function conflictsOf(promise: Promise<unknown>): Promise<ConflictsError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConflictsError)) throw error ?? new Error('It succeeded.');
  return error;
}

/** A definition whose type depends on its key alone, because types never change. */
function randomDefinition(draw: Draw, key: string): NewFlag {
  const wanted = randomFlag(new Draw(key.charCodeAt(1))).type;
  for (;;) {
    const flag = randomFlag(draw, key);
    if (flag.type !== wanted) continue;
    return newFlag(key, {
      ...flag,
      name: draw.of('A name', 'Ünï 🚩', key),
      description: draw.of(null, '', 'Why'),
      tags: draw.of([], ['web'], ['checkout', 'web']),
      owner: draw.of(null, 'Team'),
      expectedUntil: draw.of(null, new Date('2026-03-01T12:00:00.123Z')),
    });
  }
}

const randomDefinitions = (draw: Draw) =>
  ['a0', 'b1', 'C2', 'd3', 'e4', 'f5', 'g6', 'h7'].flatMap(key =>
    draw.chance(0.6) ? [randomDefinition(draw, key)] : [],
  );

async function holds(features: Features, backend: Backend, draw: Draw): Promise<void> {
  const given = randomDefinitions(draw);
  const definitions = given.length === 0 ? [randomDefinition(draw, 'a0')] : given;
  const before = await everything(backend);
  const same = (await stored(features)).filter(
    flag => draw.chance(0.3) && definitions.every(({ key }) => key !== flag.key),
  );
  const wanted = [...definitions, ...same].sort(() => draw.unit() - 0.5);
  const dry = await features.applyDefinitions({ definitions: wanted, prune: true, dryRun: true });
  expect(dry).toMatchObject({ batch: null, revision: before.definitions.revision });
  const faulty = features.applyDefinitions({ definitions: [...wanted, { key: 'z', name: '' }], prune: true });
  await expect(faulty).rejects.toThrow(ValidationError);
  expect(await everything(backend)).toEqual(before);

  const applied = await features.applyDefinitions(
    { definitions: wanted, prune: true, expectedRevision: dry.revision, note: 'From the repository' },
    { actor: 'ann' },
  );
  expect({ ...applied, revision: 0, batch: null }).toEqual({ ...dry, revision: 0 });
  expect(plain(await stored(features))).toEqual(plain([...wanted].sort((a, b) => (a.key < b.key ? -1 : 1))));
  const { changes } = await backend.changes(before.definitions.revision, 100_000);
  expect(changes.length).toBe(applied.plan.length);
  for (const { batch, note } of changes)
    expect({ batch, note }).toEqual({ batch: applied.batch, note: 'From the repository' });

  const after = await everything(backend);
  const again = await features.applyDefinitions({ definitions: wanted, prune: true });
  expect(again).toEqual({ plan: [], unchanged: wanted.length, revision: after.definitions.revision, batch: null });
  expect(await everything(backend)).toEqual(after);
}

describe('applied definitions are read back as they were given, and a second time change nothing', () => {
  it('in memory, for random definitions on random definitions', async () => {
    const { backend, features } = await start();
    const draw = new Draw(15);
    for (let run = 0; run < 200; run += 1) await holds(features, backend, draw);
  }, 120_000);

  it('in a database', async () => {
    const { backend, features } = await start(await openPGlite());
    const draw = new Draw(46);
    for (let run = 0; run < 20; run += 1) await holds(features, backend, draw);
  }, 180_000);
});

const variants = ['a', 'b'].map(key => ({ key, value: key, weight: 1 }));
const theme: CreateFlagInput = { key: 'theme', name: 'Theme', type: 'STRING', variants, offVariant: 'a' };
const plainFlag: CreateFlagInput = { key: 'plain', name: 'Plain' };

describe('the plan', () => {
  it('tells what is created, changed field by field, and deleted only where that is asked for', async () => {
    const { features } = await start();
    await features.applyDefinitions({ definitions: [theme, plainFlag] });
    await features.createFlag({ key: 'extra', name: 'Extra' });
    const definitions: CreateFlagInput[] = [
      { key: 'new', name: 'New' },
      { ...theme, percentage: 20, rules: [{ id: 'staff', when: { groups: ['staff'] } }] },
      plainFlag,
    ];
    const kept = await features.applyDefinitions({ definitions, dryRun: true });
    expect(outline(kept)).toEqual(['CREATE new', 'UPDATE theme']);
    const pruned = await features.applyDefinitions({ definitions, prune: true });
    expect(outline(pruned)).toEqual(['DELETE extra', 'CREATE new', 'UPDATE theme']);
    expect(pruned.unchanged).toBe(1);
    expect(pruned.plan[2]?.differences).toEqual([
      { path: ['percentage'], before: 100, after: 20 },
      {
        path: ['rules', 'staff'],
        before: undefined,
        after: { id: 'staff', when: { groups: ['staff'] }, percentage: 100, on: true, serve: [] },
      },
    ]);
    expect((await features.listFlags()).map(({ key, version }) => [key, version])).toEqual([
      ['new', 1],
      ['plain', 1],
      ['theme', 2],
    ]);
  });

  it('gives a field that is left out its default', async () => {
    const { features } = await start();
    await features.createFlag({ ...plainFlag, enabled: true, description: 'Why', bucketBy: '$id', percentage: 5 });
    await features.applyDefinitions({ definitions: [plainFlag] });
    expect(await stored(features)).toEqual([flagInput(newFlag('plain', { name: 'Plain' }))]);
  });
});

describe('definitions are refused, with words and without any change,', () => {
  async function refused(definitions: unknown, rest: object = {}, flags: readonly CreateFlagInput[] = []) {
    const { backend, features } = await start();
    for (const flag of flags) await features.createFlag(flag);
    if (flags.includes(theme)) {
      await features.setOverride({ userId: 'ann', flagKey: 'theme', enabled: true, variant: 'b' });
    }
    const before = await everything(backend);
    const faults = await faultsOf(features.applyDefinitions({ definitions, ...rest } as never));
    expect(await faultsOf(features.applyDefinitions({ definitions, dryRun: true, ...rest } as never))).toEqual(faults);
    expect(await everything(backend)).toEqual(before);
    return faults;
  }

  it('with every fault of every definition', async () => {
    const faults = await refused([
      plainFlag,
      { key: 'a b', name: '' },
      7,
      { ...theme, rules: [{ id: 'r', when: { x: 1 } }] },
    ]);
    expect(faults.map(text => text.split(':')[0])).toEqual([
      'definitions.1.key',
      'definitions.1.name',
      'definitions.2',
      'definitions.3.rules.0.when.x',
    ]);
  });

  it('where a rule has no id, because one that is made up would not stay', async () => {
    const rules = [{ id: 'a', when: {} }, { when: {} }, { id: null, when: {} }];
    expect(await refused([{ ...plainFlag, rules }])).toEqual([
      'definitions.0.rules.1.id: Expected an id, such as "staff", that stays the same when the rule is changed.',
      'definitions.0.rules.2.id: Expected an id, such as "staff", that stays the same when the rule is changed.',
    ]);
  });

  it('where two define the same flag', async () => {
    expect(await refused([plainFlag, theme, plainFlag])).toEqual([
      'definitions.2.key: The flag "plain" is at definitions.0 already. State it once.',
    ]);
  });

  it('where one has a note or a confirmation of its own', async () => {
    expect(
      await refused([
        { ...plainFlag, note: 'Why', confirm: 'x' },
        { ...theme, note: null },
      ]),
    ).toEqual([
      'definitions.0.note: State it once for all flags, beside "definitions".',
      'definitions.0.confirm: State it once for all flags, beside "definitions".',
    ]);
  });

  it('where the type of a flag would change', async () => {
    expect(await refused([theme, { ...theme, key: 'plain' }], {}, [plainFlag])).toEqual([
      'definitions.1.type: The flag "plain" has the type BOOLEAN, and the type of a flag never changes. Delete the flag first, or define one with another key.',
    ]);
  });

  it('where an override or a rule names a variant that is gone', async () => {
    const one = { ...theme, variants: variants.slice(0, 1) };
    expect(await refused([plainFlag, one], {}, [theme])).toEqual([
      'definitions.1.variants: The variant "b" is named by an override of the user "ann". Change or remove the overrides that name it first.',
    ]);
    const rules = [{ id: 'r', when: {}, serve: [{ variant: 'b', weight: 1 }] }];
    expect(await refused([{ ...one, rules }], {}, [theme])).toEqual([
      'definitions.0.rules.0.serve.0.variant: The flag has no variant "b". Its variants are a.',
    ]);
  });

  it('where there are none and everything would be deleted', async () => {
    expect(await refused([], { prune: true }, [plainFlag])).toEqual([
      'prune: Without a definition this would delete every flag. Give the definitions that are to stay, or delete the flags one by one.',
    ]);
    const { features } = await start();
    expect(await features.applyDefinitions({ definitions: [] })).toMatchObject({ plan: [], unchanged: 0, batch: null });
  });

  it('where there are too many, or no list', async () => {
    const many = Array.from({ length: 2_001 }, (_, index) => ({ key: `k${index}`, name: 'K' }));
    expect(await refused(many)).toEqual(['definitions: Expected at most 2000 definitions.']);
    expect(await refused('all')).toEqual(['definitions: Expected a list.']);
    expect(await refused([plainFlag], { note: '  ', expectedRevision: -1, force: true })).toHaveLength(3);
  });

  it('where the expected revision has not been yet', async () => {
    expect(await refused([plainFlag], { expectedRevision: 7 }, [plainFlag])).toEqual([
      'expectedRevision: Expected the revision of a plan, found 7: the change log is at revision 1.',
    ]);
  });
});

describe('with an expected revision definitions are applied', () => {
  async function planned() {
    const { backend, features } = await start();
    for (const key of ['plain', 'other', 'gone']) await features.createFlag({ key, name: key });
    const input = {
      definitions: [
        { ...plainFlag, enabled: true },
        { key: 'gone', name: 'gone' },
      ],
    };
    const { revision } = await features.applyDefinitions({ ...input, dryRun: true });
    return { backend, features, input, revision };
  }

  it('where only other flags, overrides and users were changed since', async () => {
    const { features, input, revision } = await planned();
    await features.setOverride({ userId: 'ann', flagKey: 'plain', enabled: true });
    await features.setUserAttributes({ userId: 'ann', attributes: { a: 1 } });
    await features.updateFlag({ key: 'other', enabled: true });
    const dry = await features.applyDefinitions({ ...input, dryRun: true, expectedRevision: revision });
    expect(dry.revision).toBe(revision + 3);
    expect(outline(await features.applyDefinitions({ ...input, expectedRevision: revision }))).toEqual([
      'UPDATE plain',
    ]);
    const error = await conflictsOf(features.applyDefinitions({ ...input, prune: true, expectedRevision: revision }));
    expect(error.conflicts.map(({ flagKey }) => flagKey)).toEqual(['other', 'plain']);
  });

  it('and refused with every flag that was changed since, as it is now', async () => {
    const { backend, features, input, revision } = await planned();
    await features.updateFlag({ key: 'plain', name: 'Renamed' });
    await features.updateFlag({ key: 'plain', percentage: 5 });
    await features.deleteFlag({ key: 'gone' });
    const before = await everything(backend);
    for (const dryRun of [true, false]) {
      const error = await conflictsOf(features.applyDefinitions({ ...input, dryRun, expectedRevision: revision }));
      expect(error).toMatchObject({ code: 'CONFLICTS', path: null });
      expect(error.conflicts).toEqual([
        {
          flagKey: 'plain',
          group: null,
          userId: null,
          revision: revision + 2,
          message: `The flag "plain" was changed after revision ${revision}. Make the plan again.`,
        },
        {
          flagKey: 'gone',
          group: null,
          userId: null,
          revision: revision + 3,
          message: `The flag "gone" was deleted after revision ${revision}. Make the plan again.`,
        },
      ]);
      expect(error.message).toBe(`${error.conflicts[0]?.message} Conflicts in all: 2.`);
      expect(error.flags.map(({ key, name, version }) => [key, name, version])).toEqual([['plain', 'Renamed', 3]]);
    }
    expect(await everything(backend)).toEqual(before);
  });

  it('and refused where the log does not have all changes since', async () => {
    const { backend, features, input, revision } = await planned();
    for (const name of ['a', 'b', 'c']) await features.updateFlag({ key: 'other', name });
    const { search } = backend;
    backend.search = async asked => ({ ...(await search.call(backend, asked)), prunedTo: revision + 1 });
    const error = await conflictsOf(features.applyDefinitions({ ...input, expectedRevision: revision }));
    expect(error.conflicts).toEqual([
      {
        ...{ flagKey: null, group: null, userId: null, revision: null },
        message: `The change log does not have all changes since revision ${revision} any more. Make the plan again.`,
      },
    ]);
  });

  it('and refused after everything was removed', async () => {
    const { backend, features, input, revision } = await planned();
    (backend as MemoryBackend).clear();
    const error = await conflictsOf(features.applyDefinitions({ ...input, expectedRevision: revision }));
    expect(error.message).toContain(`Everything was removed after revision ${revision}.`);
  });
});

/** Makes another write after each of the next reads of the definitions. */
function crossing(backend: Backend, times: number, write: () => Promise<unknown>): void {
  const read = backend.definitions.bind(backend);
  let left = times;
  backend.definitions = async () => {
    const definitions = await read();
    if (left > 0) {
      left -= 1;
      await write();
    }
    return definitions;
  };
}

describe('a write between the plan and its execution', () => {
  const definitions = [{ ...plainFlag, enabled: true }, theme];

  it.each<[string, (backend: Backend) => Promise<unknown>, string[]]>([
    [
      'of a flag that is changed',
      backend => backend.updateFlag('plain', { percentage: 5 }, null, null),
      ['DELETE extra', 'UPDATE plain', 'CREATE theme'],
    ],
    [
      'of a flag that is created',
      backend => backend.createFlag(newFlag('theme', { ...theme, name: 'Other' } as Partial<NewFlag>), null),
      ['DELETE extra', 'UPDATE plain', 'UPDATE theme'],
    ],
    ['of a flag that is deleted', backend => backend.deleteFlag('extra', null), ['UPDATE plain', 'CREATE theme']],
    [
      'that deletes one',
      backend => backend.deleteFlag('plain', null),
      ['DELETE extra', 'CREATE plain', 'CREATE theme'],
    ],
    [
      'of what is deleted',
      backend => backend.updateFlag('extra', { name: 'E' }, null, null),
      ['DELETE extra', 'UPDATE plain', 'CREATE theme'],
    ],
  ])('%s is seen', async (_what, write, plan) => {
    const { backend, features } = await start();
    for (const key of ['plain', 'extra']) await features.createFlag({ key, name: key });
    crossing(backend, 1, () => write(backend));
    const applied = await features.applyDefinitions({ definitions, prune: true });
    expect(outline(applied)).toEqual(plan);
    expect((await features.listFlags()).map(({ key, name, percentage }) => [key, name, percentage])).toEqual([
      ['plain', 'Plain', 100],
      ['theme', 'Theme', 100],
    ]);
  });

  it('of a flag that is to be deleted is a conflict, where a revision is expected', async () => {
    const { backend, features } = await start();
    for (const key of ['plain', 'extra']) await features.createFlag({ key, name: key });
    const input = { definitions, prune: true };
    const { revision } = await features.applyDefinitions({ ...input, dryRun: true });
    crossing(backend, 1, () => backend.updateFlag('extra', { name: 'E' }, null, null));
    const error = await conflictsOf(features.applyDefinitions({ ...input, expectedRevision: revision }));
    expect(error.conflicts).toMatchObject([{ flagKey: 'extra', revision: revision + 1 }]);
    expect(await stored(features)).toMatchObject([
      { key: 'extra', name: 'E' },
      { key: 'plain', enabled: false },
    ]);
  });

  it('of an override that names a removed variant is seen', async () => {
    const { backend, features } = await start();
    await features.createFlag(theme);
    const override = { userId: 'ann', flagKey: 'theme', enabled: true, reason: null, expiresAt: null, variant: 'b' };
    const { overriddenVariants } = backend;
    backend.overriddenVariants = async keys => {
      backend.overriddenVariants = overriddenVariants;
      const named = await backend.overriddenVariants(keys);
      await backend.setOverride(override, null);
      return named;
    };
    const removal = { ...theme, variants: variants.slice(0, 1) };
    expect(await faultsOf(features.applyDefinitions({ definitions: [removal] }))).toEqual([
      expect.stringContaining('definitions.0.variants: The variant "b" is named by an override'),
    ]);
  });

  it('of overrides of a flag that keeps its variants is not in the way', async () => {
    const { backend, features } = await start();
    await features.createFlag(plainFlag);
    const override = { flagKey: 'plain', enabled: true, reason: null, expiresAt: null };
    let users = 0;
    crossing(backend, 1_000, () => {
      users += 1;
      return backend.setOverride({ ...override, userId: `u${users}` }, null);
    });
    expect(outline(await features.applyDefinitions({ definitions }))).toEqual(['UPDATE plain', 'CREATE theme']);
    expect(users).toBe(1);
  });

  it('again and again is an error that names the flag, and nothing is changed', async () => {
    const { backend, features } = await start();
    await features.createFlag(plainFlag);
    let percentage = 0;
    crossing(backend, 1_000, () => {
      percentage += 1;
      return backend.updateFlag('plain', { percentage }, null, null);
    });
    const error = await conflictsOf(features.applyDefinitions({ definitions }));
    expect(error.message).toBe(
      'The flag "plain" was changed while this change was checked, again and again. Try again.',
    );
    expect(error.flags).toMatchObject([{ key: 'plain', enabled: false }]);
    expect(percentage).toBe(10);
    expect((await features.listFlags()).map(({ key }) => key)).toEqual(['plain']);
  });
});
