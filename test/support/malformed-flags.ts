// Flags and overrides with one fault each. The tests send them over GraphQL, in seeds and to the library.

const variant = (fields: object = {}) => ({ key: 'a', value: 'A', weight: 1, ...fields });
const rule = (fields: object = {}) => ({ id: 'r', when: {}, ...fields });
const text = (...variants: object[]) => ({ type: 'STRING', variants, offVariant: 'a' });
const flag = (fields: object = {}) => ({ ...text(variant()), ...fields });
const ruled = (...rules: unknown[]) => flag({ rules });
const many = <T>(length: number, make: (index: number) => T) => Array.from({ length }, (_, index) => make(index));
const deep = (levels: number): unknown => (levels === 0 ? [] : [deep(levels - 1)]);
const other = { variant: 'b', weight: 1 };
const share = { variant: 'a', weight: 1 };

export interface Malformed {
  readonly fault: string;
  /** The fields of the flag, beside its key and name. */
  readonly flag: object;
  readonly path: string;
  readonly message: RegExp;
  /** The schema of GraphQL refuses it, before the service sees it. */
  readonly isRefusedBySchema?: boolean;
}

type Row = readonly [fault: string, flag: object, path: string, message: RegExp, by?: 'schema'];

const rows: readonly Row[] = [
  // Types
  ['a type that does not exist', { type: 'INT' }, 'type', /Expected one of BOOLEAN, STRING, NUMBER, OBJECT/, 'schema'],
  ['a BOOLEAN flag with variants', { variants: [variant()] }, 'variants', /BOOLEAN.*leave variants out/],
  ['a BOOLEAN flag with another off variant', { offVariant: 'on' }, 'offVariant', /BOOLEAN.*leave it out/],
  [
    'a BOOLEAN flag with a rule that serves',
    { rules: [rule({ serve: [share] })] },
    'rules.0.serve',
    /BOOLEAN.*leave "serve" out/,
  ],
  ['a flag without variants', { type: 'STRING', offVariant: 'a' }, 'variants', /STRING needs at least one variant/],
  ['a number in a STRING flag', text(variant({ value: 5 })), 'variants.0.value', /Expected a text.*found a number/],
  [
    'a boolean in a STRING flag',
    text(variant({ value: true })),
    'variants.0.value',
    /Expected a text.*found a boolean/,
  ],
  [
    'null in a STRING flag',
    text(variant({ value: null })),
    'variants.0.value',
    /Expected a text.*found null/,
    'schema',
  ],
  [
    'text in a NUMBER flag',
    { ...text(variant({ value: '5' })), type: 'NUMBER' },
    'variants.0.value',
    /Expected a number.*found text/,
  ],
  [
    'text in an OBJECT flag',
    { ...text(variant({ value: '{}' })), type: 'OBJECT' },
    'variants.0.value',
    /Expected an object or a list.*found text/,
  ],
  [
    'a number in an OBJECT flag',
    { ...text(variant({ value: 1 })), type: 'OBJECT' },
    'variants.0.value',
    /Expected an object or a list.*found a number/,
  ],
  [
    'the second of two values',
    text(variant(), variant({ key: 'b', value: [] })),
    'variants.1.value',
    /Expected a text.*found a list/,
  ],
  // Variants
  ['variants that are no list', flag({ variants: 'a' }), 'variants', /Expected a list such as/, 'schema'],
  ['a variant that is no object', flag({ variants: ['a'] }), 'variants.0', /Expected an object.*found text/, 'schema'],
  [
    'a variant without a key',
    text(variant({ key: undefined })),
    'variants.0.key',
    /Expected 1 to 100 letters/,
    'schema',
  ],
  ['an empty key', text(variant({ key: '' })), 'variants.0.key', /Expected 1 to 100 letters.*found ""/],
  ['a key with a blank', text(variant({ key: 'a b' })), 'variants.0.key', /Expected 1 to 100 letters.*found "a b"/],
  [
    'a key that begins with a dot',
    text(variant({ key: '.a' })),
    'variants.0.key',
    /beginning with a letter or a digit/,
  ],
  ['a key that is too long', text(variant({ key: 'a'.repeat(101) })), 'variants.0.key', /Expected 1 to 100 letters/],
  ['a key that is a number', text(variant({ key: 5 })), 'variants.0.key', /found a number/, 'schema'],
  [
    'a key that comes twice',
    text(variant(), variant({ value: 'B' })),
    'variants.1.key',
    /Another variant has this key/,
  ],
  ['a variant without a value', text({ key: 'a', weight: 1 }), 'variants.0.value', /Expected a value/, 'schema'],
  [
    'a value that is too long',
    text(variant({ value: 'x'.repeat(16_383) })),
    'variants.0.value',
    /at most 16384 bytes of JSON, found 16385/,
  ],
  [
    'a value that is nested too deep',
    { ...text(variant({ value: deep(17) })), type: 'OBJECT' },
    `variants.0.value${'.0'.repeat(16)}`,
    /at most 16 levels/,
  ],
  [
    'a value with a number that was rounded',
    { ...text(variant({ value: 2 ** 53 })), type: 'NUMBER' },
    'variants.0.value',
    /9,007,199,254,740,991.*the type STRING/,
  ],
  [
    'a value with such a number inside',
    { ...text(variant({ value: { a: [2 ** 53] } })), type: 'OBJECT' },
    'variants.0.value.a.0',
    /9,007,199,254,740,991/,
  ],
  ['a value with NUL', text(variant({ value: 'a\0b' })), 'variants.0.value', /cannot be stored/],
  [
    'a field that variants do not have',
    text(variant({ name: 'A' })),
    'variants.0.name',
    /no such field. Expected key, value, weight/,
    'schema',
  ],
  [
    'too many variants',
    text(...many(101, index => variant({ key: `v${index}` }))),
    'variants',
    /at most 100 variants, found 101/,
  ],
  [
    'variants that are too long together',
    text(...many(20, index => variant({ key: index === 0 ? 'a' : `v${index}`, value: 'x'.repeat(15_000) }))),
    'variants',
    /at most 262144 bytes of JSON/,
  ],
  // Weights
  ['a weight below 0', text(variant({ weight: -1 })), 'variants.0.weight', /whole number from 0 to 100000, found -1/],
  [
    'a weight that is too high',
    text(variant({ weight: 100_001 })),
    'variants.0.weight',
    /from 0 to 100000, found 100001/,
  ],
  [
    'a weight that is no whole number',
    text(variant({ weight: 0.5 })),
    'variants.0.weight',
    /whole number.*found 0.5/,
    'schema',
  ],
  ['a weight that is text', text(variant({ weight: '1' })), 'variants.0.weight', /whole number.*found text/, 'schema'],
  [
    'a variant without a weight',
    text({ key: 'a', value: 'A' }),
    'variants.0.weight',
    /whole number.*found undefined/,
    'schema',
  ],
  ['no weight above 0', text(variant({ weight: 0 })), 'variants', /at least one variant with a weight above 0/],
  // The off variant
  [
    'an off variant that does not exist',
    flag({ offVariant: 'gone' }),
    'offVariant',
    /no variant "gone". Its variants are a\./,
  ],
  [
    'no off variant, and none that is named off',
    { type: 'STRING', variants: [variant()] },
    'offVariant',
    /no variant "off". Its variants are a\./,
  ],
  ['an off variant that is no key', flag({ offVariant: '' }), 'offVariant', /Expected 1 to 100 letters.*found ""/],
  // Rules
  ['rules that are no list', flag({ rules: 'staff' }), 'rules', /Expected a list such as/, 'schema'],
  ['a rule that is no object', ruled('staff'), 'rules.0', /Expected an object.*found text/, 'schema'],
  ['an empty id', ruled(rule({ id: '' })), 'rules.0.id', /Expected 1 to 50 letters.*found ""/],
  ['an id with a slash', ruled(rule({ id: 'a/b' })), 'rules.0.id', /Expected 1 to 50 letters.*found "a\/b"/],
  ['an id that is too long', ruled(rule({ id: 'a'.repeat(51) })), 'rules.0.id', /Expected 1 to 50 letters/],
  ['an id that is a number', ruled(rule({ id: 5 })), 'rules.0.id', /found a number/, 'schema'],
  ['an id that comes twice', ruled(rule(), rule({ on: false })), 'rules.1.id', /Another rule of the flag has this id/],
  [
    'a percentage below 0',
    ruled(rule({ percentage: -0.01 })),
    'rules.0.percentage',
    /number from 0 to 100, found -0.01/,
  ],
  [
    'a percentage above 100',
    ruled(rule({ percentage: 100.01 })),
    'rules.0.percentage',
    /number from 0 to 100, found 100.01/,
  ],
  [
    'a percentage with three decimals',
    ruled(rule({ percentage: 12.345 })),
    'rules.0.percentage',
    /at most two decimals, such as 12.25, found 12.345/,
  ],
  [
    'a percentage that is text',
    ruled(rule({ percentage: '50' })),
    'rules.0.percentage',
    /number from 0 to 100, found text/,
    'schema',
  ],
  ['"on" that is no boolean', ruled(rule({ on: 'yes' })), 'rules.0.on', /Expected true or false, found text/, 'schema'],
  [
    'a field that rules do not have',
    ruled(rule({ if: {} })),
    'rules.0.if',
    /no such field. Expected id, when/,
    'schema',
  ],
  ['conditions that are no object', ruled(rule({ when: ['staff'] })), 'rules.0.when', /Expected an object such as/],
  [
    'conditions with a fault',
    ruled(rule({ when: { attributes: { age: { above: 18 } } } })),
    'rules.0.when.attributes.age.above',
    /no such operator/,
  ],
  [
    'the second of two rules',
    ruled(rule(), rule({ id: 's', when: { groups: [''] } })),
    'rules.1.when.groups.0',
    /name of a group/,
  ],
  ['too many rules', ruled(...many(101, index => rule({ id: `r${index}` }))), 'rules', /at most 100 rules, found 101/],
  [
    'too many operators in all rules',
    ruled(...many(6, index => rule({ id: `r${index}`, when: { any: many(900, () => ({ groups: ['g'] })) } }))),
    'rules',
    /at most 5000 operators/,
  ],
  [
    'patterns of rules that are too long together',
    ruled(...many(2, index => rule({ id: `r${index}`, when: { attributes: { a: { matches: 'x{160}' } } } }))),
    'rules.1.when.attributes.a.matches',
    /steps/,
  ],
  // Shares
  ['shares that are no list', ruled(rule({ serve: 'a' })), 'rules.0.serve', /Expected a list such as/, 'schema'],
  [
    'a share that is no object',
    ruled(rule({ serve: ['a'] })),
    'rules.0.serve.0',
    /Expected an object.*found text/,
    'schema',
  ],
  [
    'a share of a variant that does not exist',
    ruled(rule({ serve: [share, other] })),
    'rules.0.serve.1.variant',
    /no variant "b". Its variants are a\./,
  ],
  [
    'a variant that two shares name',
    ruled(rule({ serve: [share, share] })),
    'rules.0.serve.1.variant',
    /Another share names this variant/,
  ],
  [
    'shares without a weight above 0',
    ruled(rule({ serve: [{ variant: 'a', weight: 0 }] })),
    'rules.0.serve',
    /at least one weight above 0/,
  ],
  [
    'a weight of a share that is too high',
    ruled(rule({ serve: [{ variant: 'a', weight: 100_001 }] })),
    'rules.0.serve.0.weight',
    /from 0 to 100000, found 100001/,
  ],
  [
    'a field that shares do not have',
    ruled(rule({ serve: [{ ...share, key: 'a' }] })),
    'rules.0.serve.0.key',
    /no such field. Expected variant, weight/,
    'schema',
  ],
  [
    'shares of a rule that turns off',
    ruled(rule({ on: false, serve: [share] })),
    'rules.0.serve',
    /turns the flag off.*leave "serve" out/,
  ],
  // bucketBy
  [
    'an empty bucketBy',
    flag({ bucketBy: '' }),
    'bucketBy',
    /Expected \$id, \$device or the name of an attribute.*found ""/,
  ],
  ['a bucketBy that is too long', flag({ bucketBy: 'a'.repeat(101) }), 'bucketBy', /1 to 100 characters/],
  [
    'a bucketBy that is no built-in attribute',
    flag({ bucketBy: '$user' }),
    'bucketBy',
    /Expected \$id, \$device or the name of an attribute, 1 to 100 characters, found "\$user"/,
  ],
  ['a bucketBy that is a number', flag({ bucketBy: 5 }), 'bucketBy', /found a number/, 'schema'],
];

export const malformedFlags: readonly Malformed[] = rows.map(([fault, fields, path, message, by]) => ({
  fault,
  flag: fields,
  path,
  message,
  isRefusedBySchema: by === 'schema',
}));
