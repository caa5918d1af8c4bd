import { expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import type { Seed } from '../../src/backends/seed.js';
import { ValidationError } from '../../src/core/errors.js';
import { shortened } from '../../src/core/text.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const tooLong = 'x'.repeat(256);
const theme = {
  key: 'theme',
  type: 'STRING',
  variants: [
    { key: 'grey', value: '#888', weight: 0 },
    { key: 'blue', value: '#00f', weight: 1 },
  ],
  offVariant: 'grey',
} as const;
const on = (flagKey: string, variant: string | null) => ({ userId: ann, flagKey, enabled: true, variant });

it.each<[string, object, string]>([
  ['a key that is none', { flags: [{ key: 'a' }, { key: 'a b' }] }, 'flags.1.key'],
  ['a switch that is text', { flags: [{ key: 'a', enabled: 'yes' }] }, 'flags.0.enabled'],
  ['an empty name', { flags: [{ key: 'a', name: '' }] }, 'flags.0.name'],
  ['a faulty rule', { flags: [{ key: 'a', conditions: { like: 1 } }] }, 'flags.0.conditions.like'],
  [
    'a number that JavaScript rounds in a rule',
    { flags: [{ key: 'a', conditions: { attributes: { n: 2 ** 53 } } }] },
    'flags.0.conditions.attributes.n',
  ],
  [
    'a number that JavaScript rounds in an attribute',
    { users: { [ann]: { n: [2 ** 53] } } },
    `users.${ann}.attributes.n.0`,
  ],
  ['a user whose id is too long', { users: { [tooLong]: {} } }, `users.${shortened(tooLong)}.userId`],
  ['a group without a name', { groups: { '': [ann] } }, 'groups..group'],
  ['a long name of a group', { groups: { [`g${'x'.repeat(150)}`]: [ann] } }, `groups.g${'x'.repeat(150)}.group`],
  [
    'a very long name of a group',
    { groups: { [`g${'x'.repeat(200)}`]: [ann] } },
    `groups.g${'x'.repeat(99)}…${'x'.repeat(99)}.group`,
  ],
  ['a member whose id ends with a blank', { groups: { beta: [ann, 'bob '] } }, 'groups.beta.userIds.1'],
  [
    'an override without an answer',
    { flags: [{ key: 'a' }], overrides: [{ userId: ann, flagKey: 'a' }] },
    'overrides.0.enabled',
  ],
  ['a value of another type', { flags: [{ ...theme, type: 'NUMBER' }] }, 'flags.0.variants.0.value'],
  ['an off variant that is none', { flags: [{ ...theme, offVariant: 'red' }] }, 'flags.0.offVariant'],
  [
    'a rule that gives a variant that is none',
    { flags: [{ ...theme, rules: [{ when: {}, serve: [{ variant: 'red', weight: 1 }] }] }] },
    'flags.0.rules.0.serve.0.variant',
  ],
  ['a tag twice', { flags: [{ key: 'a', tags: ['x', 'y', 'x'] }] }, 'flags.0.tags.2'],
  ['a unit that is none', { flags: [{ key: 'a', bucketBy: '$company' }] }, 'flags.0.bucketBy'],
  [
    'an override that gives a variant that is none',
    { flags: [{ key: 'a' }, theme], overrides: [on('a', null), on('theme', 'grey'), on('theme', 'red')] },
    'overrides.2.variant',
  ],
  [
    'an override that gives a variant of a BOOLEAN flag',
    { flags: [{ key: 'a' }], overrides: [on('a', 'on')] },
    'overrides.0.variant',
  ],
  [
    'an override that is off and gives a variant',
    { flags: [theme], overrides: [{ ...on('theme', 'grey'), enabled: false }] },
    'overrides.0.variant',
  ],
])('a seed with %s is refused, as the database would refuse it', async (_what, seed, path) => {
  const backend = new MemoryBackend();
  const error = (() => {
    try {
      backend.seed(seed as Seed);
      return null;
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(ValidationError);
  expect((error as ValidationError).issues[0]?.path.join('.')).toBe(path);
  expect((await backend.definitions()).revision).toBe(0);
});

it('a seed may hold flags with values, rules and units, and overrides with variants, also of flags that are there already', async () => {
  const backend = new MemoryBackend();
  const rules = [{ id: 'staff', when: { groups: ['staff'] }, serve: [{ variant: 'grey', weight: 1 }] }];
  backend.seed({ flags: [{ ...theme, rules, bucketBy: 'company' }] });
  const [flag] = (await backend.definitions()).flags;
  expect(flag).toMatchObject({
    ...theme,
    enabled: false,
    rules: [{ ...rules[0], percentage: 100, on: true }],
    bucketBy: 'company',
  });
  expect(() => backend.seed({ overrides: [on('theme', 'red')] })).toThrow('"red"');
  backend.seed({ overrides: [on('theme', 'grey')] });
  expect((await backend.targeting([ann])).users.get(ann)?.overrides.get('theme')).toMatchObject({
    enabled: true,
    variant: 'grey',
  });
});

it('a seed may hold an override that has expired, to test what then holds', async () => {
  const backend = new MemoryBackend();
  backend.seed({
    flags: [{ key: 'a' }],
    overrides: [{ userId: ann, flagKey: 'a', enabled: true, expiresAt: new Date(0) }],
  });
  expect((await backend.targeting([ann])).users.get(ann)?.overrides.get('a')?.expiresAt).toBe(0);
});

it.each([undefined, null])('a seed may say %s in place of what it leaves out', async absent => {
  const backend = new MemoryBackend();
  const optional = {
    description: absent,
    enabled: absent,
    percentage: absent,
    conditions: absent,
    type: absent,
    variants: absent,
    offVariant: absent,
    rules: absent,
    bucketBy: absent,
    tags: absent,
    owner: absent,
    expectedUntil: absent,
  };
  backend.seed({
    flags: [{ key: 'a', ...optional }],
    overrides: [
      { userId: ann.toUpperCase(), flagKey: 'a', enabled: true, variant: absent, reason: absent, expiresAt: absent },
    ],
  } as unknown as Seed);
  const [flag] = (await backend.definitions()).flags;
  expect(flag).toMatchObject({ name: 'a', description: null, enabled: false, percentage: 100, conditions: {} });
  expect(flag).toMatchObject({ type: 'BOOLEAN', variants: [], offVariant: 'off', rules: [], bucketBy: null });
  expect(flag).toMatchObject({ tags: [], owner: null, expectedUntil: null });
  expect((await backend.targeting([ann])).users.get(ann)?.overrides.get('a')).toEqual({
    enabled: true,
    variant: null,
    expiresAt: null,
  });
});
