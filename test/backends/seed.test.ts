import { expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import type { Seed } from '../../src/backends/seed.js';
import { ValidationError } from '../../src/core/errors.js';
import { shortened } from '../../src/core/text.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const tooLong = 'x'.repeat(256);

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
  const optional = { description: absent, enabled: absent, percentage: absent, conditions: absent };
  backend.seed({
    flags: [{ key: 'a', ...optional }],
    overrides: [{ userId: ann.toUpperCase(), flagKey: 'a', enabled: true, reason: absent, expiresAt: absent }],
  } as unknown as Seed);
  const [flag] = (await backend.definitions()).flags;
  expect(flag).toMatchObject({ name: 'a', description: null, enabled: false, percentage: 100, conditions: {} });
  expect((await backend.targeting([ann])).users.get(ann)?.overrides.get('a')).toEqual({
    enabled: true,
    expiresAt: null,
  });
});
