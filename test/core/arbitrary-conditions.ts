import fc from 'fast-check';
import type { Attributes } from '../../src/core/attributes.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import type { OperatorName } from '../../src/core/operators.js';

// Conditions that are valid, and users whom they may match.

// Small pools, so that operands and attributes meet often; each value also stands where another type is expected.
const dates = [
  '2024-01-01',
  '2024-02-29',
  '2024-01-01T00:00:00Z',
  '2024-01-01T02:00:00+02:00',
  '2023-12-31T23:59:59.5',
];
const impossible = ['2024-02-30', '2023-02-29', '2024-13-01', '2024-01-01T25:00:00Z'];
const versions = [
  '1',
  '1.2',
  '1.2-rc.1',
  '1.2-1',
  '1.0.0',
  '1.0.0-rc.1',
  '1.0.0-rc.10',
  '1.2.0',
  '1.10.0',
  'v2.0.0',
  '1.2.0+5',
];
const addresses = ['10.0.0.1', '10.1.0.1', '192.168.0.1', '::ffff:10.0.0.1', '2001:db8::1', '2001:db8:8000::1', '::1'];
const ranges = [
  '10.0.0.1',
  '::1',
  '::ffff:10.1.0.1',
  '10.0.0.0/8',
  '10.0.0.0/16',
  '0.0.0.0/0',
  '192.168.0.1/32',
  '2001:db8::/33',
  '::/0',
  '10.0.0.1/31',
];
const words = [
  'pro',
  'PRO',
  'Prod',
  'ΟΔΟΣ',
  'οδος',
  'İx',
  'i',
  'prod',
  'o',
  'r',
  'x',
  '',
  'ann@example.com',
  '__proto__',
];
const patterns = ['^pro', 'o$', '@ex.+\\.com', '[a-p]+d', 'x|r', '.'];
const names = ['a', 'b', 'c', 'a.b', 'a.b.c', '__proto__.a', '__proto__', 'constructor', 'toString'];
const groupNames = ['beta', 'vip', 'constructor', '__proto__'];

const name = fc.constantFrom(...names);
const userIds = ['ann', 'Ann', '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a', null];
export const identity = fc.record({
  userId: fc.constantFrom(...userIds),
  targetingKey: fc.constantFrom('org-42', null),
});
const idText = fc.constantFrom('ann', 'ANN', 'org-42', 'n', '3F2B8C1E-7a54-4d3c-9b1a-0e5f6d7c8b9a');
const idExpectation: fc.Arbitrary<Json> = fc.oneof(
  idText,
  fc.array(idText, { minLength: 1, maxLength: 3 }),
  fc.record({ not_in: fc.array(idText, { minLength: 1, maxLength: 3 }), exists: fc.boolean() }),
  fc.record({ starts_with: idText, ignore_case: fc.boolean() }),
);
const scalar = fc.oneof(
  fc.constantFrom<Json>(...words, ...dates, ...versions, 0, 1, -1, 2.5, true, false),
  fc.string(),
);
const text = fc.constantFrom(...words.filter(word => word !== ''), ...dates, ...addresses);
const texts = fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 }));
const scalars = fc.array(scalar, { minLength: 1, maxLength: 12 });
const bound = fc.oneof(fc.constantFrom<Json>(0, 1, 2.5, -1), fc.constantFrom(...dates));
const version = fc.constantFrom(...versions.filter(one => one !== '1.2-1'));

export const operands: { readonly [operator in OperatorName]: fc.Arbitrary<Json> } = {
  eq: scalar,
  neq: scalar,
  in: scalars,
  not_in: scalars,
  lt: bound,
  lte: bound,
  gt: bound,
  gte: bound,
  contains: texts,
  not_contains: texts,
  starts_with: texts,
  ends_with: texts,
  matches: fc.constantFrom(...patterns),
  exists: fc.boolean(),
  semver_eq: version,
  semver_lt: version,
  semver_lte: version,
  semver_gt: version,
  semver_gte: version,
  in_cidr: fc.oneof(fc.constantFrom(...ranges), fc.array(fc.constantFrom(...ranges), { minLength: 1, maxLength: 3 })),
};

/** Objects as JSON.parse makes them, where `__proto__` is an own key. */
export const object = <T>(key: fc.Arbitrary<string>, value: fc.Arbitrary<T>, minLength = 0, maxLength = 3) =>
  fc
    .uniqueArray(fc.tuple(key, value), { selector: ([one]) => one, minLength, maxLength })
    .map(entries =>
      JSON.parse(`{${entries.map(([one, other]) => `${JSON.stringify(one)}:${JSON.stringify(other)}`).join()}}`),
    );

const operation = fc.constantFrom(...(Object.keys(operands) as OperatorName[]));
const operations = fc
  .uniqueArray(operation, { minLength: 1, maxLength: 2 })
  .chain(chosen => fc.record(Object.fromEntries(chosen.map(one => [one, operands[one]]))) as fc.Arbitrary<Json>);
const comparing = ['eq', 'neq', 'contains', 'not_contains', 'starts_with', 'ends_with'] as const;
const folded = fc
  .constantFrom(...comparing)
  .chain(one => fc.record({ [one]: text, ignore_case: fc.boolean() })) as fc.Arbitrary<Json>;
const foldedLists = fc.record({
  in: fc.array(text, { minLength: 1 }),
  exists: fc.boolean(),
  ignore_case: fc.boolean(),
});
const expectation: fc.Arbitrary<Json> = fc.oneof(
  scalar,
  scalars,
  { weight: 2, arbitrary: folded },
  foldedLists as fc.Arbitrary<Json>,
  { weight: 4, arbitrary: operations },
);
const attributesForm = fc.oneof(
  { weight: 4, arbitrary: object(name, expectation, 1) },
  object(fc.constantFrom('$id', '$targetingKey'), idExpectation, 1),
);
const groupsForm = fc.array(fc.constantFrom(...groupNames), { minLength: 1, maxLength: 3 });

export const { conditions } = fc.letrec<{ conditions: JsonObject; leaf: JsonObject }>(tie => ({
  leaf: fc.oneof(
    { weight: 3, arbitrary: fc.record({ attributes: attributesForm }) },
    fc.record({ groups: groupsForm }),
    fc.record({ attributes: attributesForm, groups: groupsForm }),
    fc.record({ attributes: fc.constant({}), groups: groupsForm }),
  ) as fc.Arbitrary<JsonObject>,
  conditions: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'conditions' },
    tie('leaf'),
    fc.record({ all: fc.array(tie('conditions'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('conditions'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('conditions') }),
  ) as fc.Arbitrary<JsonObject>,
}));

export const value: fc.Arbitrary<Json> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  fc.constantFrom(...addresses, ...impossible),
  fc.constant(null),
  fc.array(fc.oneof(scalar, fc.constantFrom(...addresses), fc.constant(null), fc.constant(['pro'])), { maxLength: 3 }),
  fc.constant({ pro: 1 }),
  // Some longer than the operators look at.
  fc.array(scalar, { minLength: 95, maxLength: 105 }),
  object(
    fc.constantFrom('b', 'c', 'a'),
    fc.oneof(
      scalar,
      fc.array(scalar, { maxLength: 3 }),
      object(fc.constantFrom('c'), fc.oneof(scalar, fc.constant(null)), 0, 1),
    ),
  ) as fc.Arbitrary<Json>,
);
export const attributes = object(name, value, 0, 6) as fc.Arbitrary<Attributes>;
export const groups = fc.uniqueArray(fc.constantFrom(...groupNames));
