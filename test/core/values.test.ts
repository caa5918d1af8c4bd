import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFlag, evaluate, identicalAnswer, sameAnswer } from '../../src/core/evaluate.js';
import type { FlagDefinition } from '../../src/core/flag.js';
import type { Json } from '../../src/core/json.js';
import { createSubject } from '../../src/core/subject.js';
import { definitionIssues } from '../../src/core/values.js';

const red = { key: 'red', value: { rgb: [255, 0, 0] }, weight: 1 };
const blue = { key: 'blue', value: { rgb: [0, 0, 255] }, weight: 1 };
const theme = {
  ...{ key: 'theme', enabled: true, percentage: 50, conditions: {}, type: 'OBJECT' },
  variants: [red, blue],
  offVariant: 'red',
  rules: [
    { id: 'staff', when: { groups: ['staff'] }, percentage: 100, on: true, serve: [{ variant: 'blue', weight: 1 }] },
    { id: 'some', when: {}, percentage: 12.25, on: false, serve: [] },
  ],
} as const satisfies FlagDefinition;
const ann = createSubject({ userId: 'ann', groups: new Set(['staff']) });
const overridden = (enabled: boolean, variant: string | null = null) =>
  createSubject({ userId: 'ann', overrides: new Map([['theme', { enabled, variant, expiresAt: null }]]) });

/** What stored values that are not valid answer. */
function expectDefect(definition: FlagDefinition): void {
  const flag = compileFlag(definition);
  expect(flag.faults).not.toEqual([]);
  const nothing = { variant: null, value: null, rule: null };
  expect(evaluate(flag, ann, 0)).toMatchObject({ enabled: false, reason: 'CONDITIONS_NOT_MET', ...nothing });
  for (const enabled of [true, false]) {
    for (const variant of [null, 'red']) {
      expect(evaluate(flag, overridden(enabled, variant), 0)).toMatchObject({
        enabled,
        reason: 'OVERRIDE',
        ...nothing,
      });
    }
  }
  const off = compileFlag({ ...definition, enabled: false });
  expect(evaluate(off, ann, 0)).toMatchObject({ enabled: false, reason: 'DISABLED', ...nothing });
}

describe('values that another program stored in no valid form', () => {
  it.each<[string, object]>([
    ['variants that are no list', { variants: {} }],
    ['variants of another type', { variants: [{ ...red, value: 'red' }] }],
    ['variants that are null', { variants: [null] }],
    ['no variants', { variants: [] }],
    ['an off variant that is gone', { offVariant: 'gone' }],
    ['no weight above 0', { variants: [{ ...red, weight: 0 }] }],
    ['rules that are no list', { rules: 'staff' }],
    ['a rule without its fields', { rules: [{ id: 'staff' }] }],
    ['a rule with conditions that are not valid', { rules: [{ ...theme.rules[0], when: { plan: 'pro' } }] }],
    ['a rule of a variant that is gone', { variants: [red] }],
    ['a type that does not exist', { type: 'COLOUR' }],
    ['a bucketBy that does not exist', { bucketBy: '$nobody' }],
    ['a BOOLEAN flag with variants', { type: 'BOOLEAN', rules: [] }],
    [
      'a BOOLEAN flag with a bucketBy that does not exist',
      { type: 'BOOLEAN', variants: [], offVariant: 'off', rules: [], bucketBy: '' },
    ],
  ])('%s: off, CONDITIONS_NOT_MET, no value; overrides decide; the faults are told', (_what, fields) => {
    expectDefect({ ...theme, ...fields } as FlagDefinition);
  });

  it('never make an evaluation throw, whatever JSON they are', () => {
    const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
    const nearly = (known: Json) => fc.oneof(json, fc.constant(known));
    const variant = fc.record({ key: nearly('red'), value: nearly({}), weight: nearly(1) }, { requiredKeys: [] });
    const share = fc.record({ variant: nearly('red'), weight: nearly(1) }, { requiredKeys: [] });
    const rule = fc.record(
      {
        ...{ id: nearly('r'), when: nearly({}), percentage: nearly(50), on: fc.oneof(json, fc.boolean()) },
        serve: fc.oneof(json, fc.array(fc.oneof(json, share), { maxLength: 2 })),
      },
      { requiredKeys: [] },
    );
    const definition = fc.record({
      ...{ key: fc.constant('theme'), enabled: fc.boolean(), percentage: fc.nat(100), conditions: nearly({}) },
      type: fc.oneof(json, fc.constantFrom('BOOLEAN', 'STRING', 'NUMBER', 'OBJECT')),
      variants: fc.oneof(json, fc.array(fc.oneof(json, variant), { maxLength: 2 })),
      offVariant: nearly('red'),
      rules: fc.oneof(json, fc.array(fc.oneof(json, rule), { maxLength: 2 })),
      bucketBy: fc.oneof(json, fc.constantFrom(null, '$id', 'org')),
    });
    let defects = 0;
    fc.assert(
      fc.property(definition as fc.Arbitrary<unknown>, given => {
        const flag = given as FlagDefinition;
        definitionIssues(flag);
        const compiled = compileFlag(flag);
        for (const subject of [ann, createSubject({}), overridden(true, 'red')]) evaluate(compiled, subject, 0);
        if (compiled.valued?.values !== null) return;
        defects += 1;
        expectDefect({ ...flag, enabled: true });
      }),
      { numRuns: 2_000 },
    );
    expect(defects).toBeGreaterThan(1_000);
  });
});

describe('the answers of a flag with values', () => {
  it('are frozen with their values, and do not change with the definition', () => {
    const value = { list: [1] };
    const definition = { ...theme, variants: [{ ...red, value }, blue], rules: [], percentage: 100 };
    const answer = evaluate(compileFlag(definition), overridden(true, 'red'), 0);
    value.list.push(2);
    expect(answer.value).toEqual({ list: [1] });
    expect([answer, answer.value, (answer.value as typeof value).list].every(Object.isFrozen)).toBe(true);
  });

  it('are one object for each reason, rule and variant', () => {
    const flag = compileFlag(theme);
    const subjects = Array.from({ length: 500 }, (_, index) => createSubject({ userId: `u${index}` }));
    const answers = new Set([...subjects, ...subjects].map(subject => evaluate(flag, subject, 0)));
    const kinds = new Set([...answers].map(({ reason, rule, variant }) => `${reason} ${rule} ${variant}`));
    expect([...kinds].sort()).toEqual([
      'OUTSIDE_ROLLOUT null red',
      'RULE some red',
      'SPLIT null blue',
      'SPLIT null red',
    ]);
    expect(answers.size).toBe(kinds.size);
  });

  it('are the same to viewers where only the rule differs, and to nobody where the value does', () => {
    const ruled = (id: string, value: Json) => {
      const rules = [{ id, when: {}, percentage: 100, on: true, serve: [] }];
      return evaluate(compileFlag({ ...theme, variants: [{ ...red, value }], rules } as FlagDefinition), ann, 0);
    };
    expect(sameAnswer(ruled('a', { x: [1] }), ruled('b', { x: [1] }))).toBe(true);
    expect(identicalAnswer(ruled('a', {}), ruled('b', {}))).toBe(false);
    expect(identicalAnswer(ruled('a', { x: [1] }), ruled('a', { x: [1] }))).toBe(true);
    expect(sameAnswer(ruled('a', { x: [1] }), ruled('a', { x: [2] }))).toBe(false);
  });
});

describe('an evaluation allocates nothing', () => {
  setFlagsFromString('--expose-gc');
  const collect = (globalThis as { gc?: () => void }).gc;

  /** Bytes of heap for each call, at least: what the collector takes meanwhile counts for nothing. */
  function bytesPerCall(act: () => unknown): number {
    const calls = 20_000;
    const measured = [1, 2, 3, 4, 5].map(() => {
      collect?.();
      const before = process.memoryUsage().heapUsed;
      for (let call = 0; call < calls; call++) act();
      return (process.memoryUsage().heapUsed - before) / calls;
    });
    return Math.min(...measured.filter(bytes => bytes >= 0));
  }

  const plain: FlagDefinition = { key: 'plain', enabled: true, percentage: 50, conditions: { groups: ['staff'] } };
  it.each<[string, FlagDefinition, ReturnType<typeof createSubject>]>([
    ['of a flag without values', plain, ann],
    ['of a flag with rules', { ...plain, rules: theme.rules.map(rule => ({ ...rule, serve: [] })) }, ann],
    ['of a flag with one variant with a weight', { ...theme, variants: [red, { ...blue, weight: 0 }] }, ann],
    ['of an override that names a variant', theme, overridden(true, 'blue')],
    ['of a split', { ...theme, rules: [], percentage: 100 }, createSubject({ userId: 'ann' })],
    [
      'of a split by an attribute',
      { ...theme, rules: [], bucketBy: 'org' },
      createSubject({ attributes: { org: 'o' } }),
    ],
  ])('%s', (_what, definition, subject) => {
    const flag = compileFlag(definition);
    const act = () => evaluate(flag, subject, 0);
    // Compiled, and every answer made.
    for (let call = 0; call < 50_000; call++) act();
    expect(bytesPerCall(act)).toBeLessThan(1);
    expect(bytesPerCall(() => Array.from({ length: 2 }))).toBeGreaterThan(8);
  });
});
