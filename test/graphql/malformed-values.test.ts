import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { ValidationError } from '../../src/core/errors.js';
import { FeatureService } from '../../src/features/service.js';
import { ann, openGraphQL, type TestGraphQL } from '../support/graphql.js';
import { malformedFlags } from '../support/malformed-flags.js';

let api: TestGraphQL;
let library: FeatureService;
const memory = new MemoryBackend();

const red = { key: 'red', value: '#f00', weight: 1 };
const blue = { key: 'blue', value: '#00f', weight: 1 };
const valid = {
  key: 'theme',
  name: 'Theme',
  type: 'STRING',
  variants: [red, blue, { key: 'none', value: '', weight: 0 }],
  offVariant: 'none',
  rules: [{ id: 'staff', when: { groups: ['staff'] }, serve: [{ variant: 'blue', weight: 1 }] }],
} as const;
/** A flag of each type that a patch may meet, with a variant "a". */
const bases = {
  BOOLEAN: {},
  STRING: { variants: [{ key: 'a', value: 'A', weight: 1 }], offVariant: 'a' },
  NUMBER: { variants: [{ key: 'a', value: 1, weight: 1 }], offVariant: 'a' },
  OBJECT: { variants: [{ key: 'a', value: {}, weight: 1 }], offVariant: 'a' },
} as const;

beforeAll(async () => {
  api = await openGraphQL();
  library = await FeatureService.open({ backend: memory });
  for (const { management } of [api.service, library]) {
    await management.createFlag(valid);
    for (const [type, fields] of Object.entries(bases)) {
      await management.createFlag({ key: type, name: type, type: type as keyof typeof bases, ...fields });
    }
    await management.setOverride({ userId: ann, flagKey: 'theme', enabled: true, variant: 'red' });
  }
});

afterAll(() => Promise.all([api.close(), library.close()]));

const state = async () => {
  const states = await Promise.all([api.database, memory].map(backend => backend.definitions()));
  return states.map(({ revision, flags }) => ({ revision, flags }));
};

type Fault = { path: string; message: string };

const faultsOf = (issues: readonly { readonly path: readonly string[]; readonly message: string }[]): Fault[] =>
  issues.map(({ path, message }) => ({ path: path.join('.'), message }));

const document = (field: 'createFlag' | 'updateFlag' | 'setOverride') => {
  const input = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  return `mutation($input: ${input}!) { ${field}(input: $input) { __typename ... on ValidationError { code path issues { path message } } } }`;
};

/** The faults that GraphQL answers with. */
async function overGraphQL(field: 'createFlag' | 'updateFlag' | 'setOverride', input: object): Promise<Fault[]> {
  const answer = (await api.data(document(field), { input }))[field];
  expect(answer).toMatchObject({ __typename: 'ValidationError', code: 'BAD_USER_INPUT', path: answer.issues[0].path });
  return faultsOf(answer.issues);
}

/** The faults that a call rejects with, or throws. */
async function thrownBy(act: () => unknown): Promise<Fault[]> {
  const error = await (async () => act())().catch((thrown: unknown) => thrown);
  if (!(error instanceof ValidationError)) throw new Error(`Expected a ValidationError, found ${error}.`);
  return faultsOf(error.issues);
}

/** These depend on a field that a patch leaves out. */
const onlyOfNewFlags = [
  'a type that does not exist',
  'a flag without variants',
  'no off variant, and none that is named off',
];

describe('a flag with one fault is refused with its path, and nothing changes:', () => {
  it.each(malformedFlags)('$fault', async ({ fault, flag, path, message, isRefusedBySchema }) => {
    const before = await state();
    const wanted = [{ path, message: expect.stringMatching(message) }];
    const created = { key: 'new', name: 'New', ...flag };
    const { type = 'BOOLEAN', ...patch } = flag as { type?: string };
    const isPatch = !onlyOfNewFlags.includes(fault);

    expect(await thrownBy(() => library.management.createFlag(created as never))).toEqual(wanted);
    const seeded = await thrownBy(() => new MemoryBackend().seed({ flags: [{ key: 'before' }, created] }));
    expect(seeded).toEqual([{ ...wanted[0], path: `flags.1.${path}` }]);
    if (isPatch) expect(await thrownBy(() => library.management.updateFlag({ key: type, ...patch }))).toEqual(wanted);

    if (isRefusedBySchema) {
      const { data, errors } = await api.run(document('createFlag'), { input: created });
      expect(data).toBeUndefined();
      expect(errors?.[0]?.message).toContain(`input.${path.split('.')[0]}`);
    } else {
      expect(await overGraphQL('createFlag', created)).toEqual(wanted);
      if (isPatch) expect(await overGraphQL('updateFlag', { key: type, ...patch })).toEqual(wanted);
    }
    expect(await state()).toEqual(before);
  });
});

describe('an override with one fault is refused with its path, and nothing changes:', () => {
  const override = { userId: ann, flagKey: 'theme', enabled: true };
  it.each<[string, object, RegExp]>([
    [
      'a variant that the flag does not have',
      { variant: 'gold' },
      /no variant "gold". Its variants are red, blue, none\./,
    ],
    ['a variant of an override that is off', { enabled: false, variant: 'red' }, /off variant: leave variant out/],
    ['a variant of a BOOLEAN flag', { flagKey: 'BOOLEAN', variant: 'on' }, /"BOOLEAN" is BOOLEAN: leave variant out/],
    ['a variant that is no key', { variant: 'a b' }, /Expected 1 to 100 letters.*found "a b"/],
    ['an empty variant', { variant: '' }, /found ""/],
  ])('%s', async (_fault, fields, message) => {
    const before = await state();
    const wanted = [{ path: 'variant', message: expect.stringMatching(message) }];
    const input = { ...override, ...fields };
    expect(await overGraphQL('setOverride', input)).toEqual(wanted);
    expect(await thrownBy(() => library.management.setOverride(input))).toEqual(wanted);
    const seed = { flags: [valid, { key: 'BOOLEAN' }], overrides: [{ ...override, userId: 'bob' }, input] };
    const seeded = await thrownBy(() => new MemoryBackend().seed(seed));
    expect(seeded).toEqual([{ ...wanted[0], path: 'overrides.1.variant' }]);
    expect(await state()).toEqual(before);
  });
});

describe('a variant that is still used cannot be removed: the error says where, and nothing changes', () => {
  const only = (...keys: string[]) => valid.variants.filter(({ key }) => keys.includes(key));
  it.each<[string, object, readonly RegExp[]]>([
    [
      'by a rule',
      { variants: only('red', 'none') },
      [/"blue" is named by the rule "staff": change "rules" too, or keep it/],
    ],
    [
      'as the off variant',
      { variants: only('red', 'blue') },
      [/"none" is the off variant: give another one as "offVariant"/],
    ],
    [
      'by an override',
      { variants: only('blue', 'none') },
      [/"red" is named by an override of the user "3f2b8c1e.*remove the overrides/],
    ],
    [
      'by an override, though its rule goes',
      { variants: only('none').map(one => ({ ...one, weight: 1 })), rules: [] },
      [/"red" is named by an override/],
    ],
    [
      'by a rule and as the off variant',
      { variants: only('red') },
      [/"none" is the off variant/, /"blue" is named by the rule/],
    ],
  ])('%s', async (_where, patch, messages) => {
    const before = await state();
    const wanted = messages.map(message => ({ path: 'variants', message: expect.stringMatching(message) }));
    expect(await overGraphQL('updateFlag', { key: 'theme', ...patch })).toEqual(wanted);
    expect(await thrownBy(() => library.management.updateFlag({ key: 'theme', ...patch }))).toEqual(wanted);
    expect(await state()).toEqual(before);
  });

  it('and goes once nothing names it', async () => {
    for (const { management } of [api.service, library]) {
      const { version } = (await management.createFlag({ ...valid, key: 'free' })).value;
      const patch = { key: 'free', variants: only('red', 'none'), rules: [] };
      expect((await management.updateFlag(patch)).value).toMatchObject({
        version: version + 1,
        variants: patch.variants,
      });
      await management.deleteFlag({ key: 'free' });
    }
  });
});

it('a flag with values that another program stored in no valid form can be mended', async () => {
  const { management } = api.service;
  await management.createFlag({ ...valid, key: 'broken' });
  await api.database.prisma
    .$executeRaw`UPDATE feature_flags SET variants = '[null, 5, {"key": 7}]', rules = '["r"]' WHERE key = 'broken'`;
  expect(await overGraphQL('setOverride', { userId: ann, flagKey: 'broken', enabled: true, variant: 'red' })).toEqual([
    { path: 'variant', message: expect.stringContaining('The flag has no variant "red"') },
  ]);
  // Field by field: what stays broken is no fault of the patch.
  expect((await management.updateFlag({ key: 'broken', rules: [] })).value.rules).toEqual([]);
  await management.updateFlag({ key: 'broken', percentage: 50 });
  const mended = await management.updateFlag({ key: 'broken', variants: valid.variants, rules: [] });
  expect(mended.value).toMatchObject({ variants: valid.variants, rules: [] });
  await management.deleteFlag({ key: 'broken' });
});
