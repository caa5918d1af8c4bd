import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileFlag, evaluate } from '../../src/core/evaluate.js';
import { type Explanation, explain, stepOfReason } from '../../src/core/explain.js';
import type { EvaluationStep, ExplanationStep } from '../../src/core/explain-steps.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { createSubject } from '../../src/core/subject.js';
import { attributes, conditions, groups } from './arbitrary-conditions.js';
import { Draw, overrideTime, randomFlag, randomSubject } from './random-flag.js';
import { type ReferenceFlag, type ReferenceSubject, referenceEvaluate } from './reference-flag.js';

/** `REFERENCE_CASES=100000` explains many more. */
const cases = Number(process.env['REFERENCE_CASES'] ?? 1_500);

const subjectOf = (key: string, { override, groups: names, ...fields }: ReferenceSubject) =>
  createSubject({ ...fields, groups: new Set(names), overrides: new Map(override === null ? [] : [[key, override]]) });

const step = ({ steps }: Explanation, name: EvaluationStep) => steps.find(one => one.name === name) as ExplanationStep;

/** The result of conditions, put together from what an explanation tells of each. */
function told(some: JsonObject, step: ExplanationStep, prefix: readonly string[]): boolean {
  const byPath = new Map(step.conditions.map(({ path, matched }) => [JSON.stringify(path), matched]));
  const at = (path: readonly string[], isNegated: boolean) => {
    const matched = byPath.get(JSON.stringify(path));
    if (matched === undefined) throw new Error(`Nothing is told of ${path.join('.')}.`);
    return matched !== isNegated;
  };
  const form = (part: JsonObject, path: readonly string[], isNegated: boolean): boolean => {
    if ('not' in part) return !form(part['not'] as JsonObject, [...path, 'not'], !isNegated);
    const list = (name: string) =>
      (part[name] as JsonObject[]).map((one, index) => form(one, [...path, name, String(index)], isNegated));
    if ('all' in part) return list('all').every(Boolean);
    if ('any' in part) return list('any').some(Boolean);
    const wanted = Object.entries((part['attributes'] ?? {}) as JsonObject);
    const named = (part['groups'] ?? []) as Json[];
    if (wanted.length === 0 && named.length === 0) return true;
    const results = wanted.flatMap(([name, wish]) =>
      operatorsOf(wish).map(rest => at([...path, 'attributes', name, ...rest], isNegated)),
    );
    const isMember = named.length > 0 && at([...path, 'groups'], isNegated);
    return (results.length > 0 && results.every(Boolean)) || isMember;
  };
  return form(some, prefix, false);
}

/** The ends of the paths of an expectation: one for each operator. */
function operatorsOf(wish: Json): string[][] {
  if (typeof wish !== 'object' || Array.isArray(wish)) return [[]];
  return Object.keys(wish as JsonObject).flatMap(name => (name === 'ignore_case' ? [] : [[name]]));
}

/** The reason and the rule that follow from what the steps behind the switch saw, whether they were asked or not. */
function replayed(definition: ReferenceFlag, explanation: Explanation): { reason: string; rule: string | null } {
  const { rule } = step(explanation, 'RULES');
  for (const { id, when } of definition.rules) {
    if (!told(when, step(explanation, 'RULES'), [id]) && rule === id) throw new Error(`The rule ${id} does not match.`);
    if (rule === id) return { reason: 'RULE', rule };
  }
  const { bucket, bound } = step(explanation, 'PERCENTAGE');
  if (bound === null) throw new Error('The bound is not told.');
  if (bound < 10_000 && bucket === null) return { reason: 'USER_REQUIRED', rule: null };
  if (bound < 10_000 && (bucket as number) >= bound) return { reason: 'OUTSIDE_ROLLOUT', rule: null };
  if (!told(definition.conditions, step(explanation, 'CONDITIONS'), []))
    return { reason: 'CONDITIONS_NOT_MET', rule: null };
  if (definition.type !== 'BOOLEAN' && definition.variants.filter(({ weight }) => weight > 0).length > 1) {
    return { reason: bucket === null ? 'USER_REQUIRED' : 'SPLIT', rule: null };
  }
  if (step(explanation, 'CONDITIONS').conditions.length > 0) return { reason: 'CONDITIONS_MET', rule: null };
  return { reason: bound < 10_000 ? 'ROLLOUT' : 'ENABLED', rule: null };
}

/** What must stand in the text, by reason. */
const facts: {
  readonly [reason: string]: (definition: ReferenceFlag, explanation: Explanation) => (string | RegExp)[];
} = {
  OVERRIDE: (_flag, { enabled }) => [`An override of this user turns the flag ${enabled ? 'on' : 'off'}`],
  DISABLED: () => ['The flag is switched off for everybody'],
  RULE: (_flag, { rule, enabled }) => [`The rule "${rule}" turns the flag ${enabled ? 'on' : 'off'}`],
  OUTSIDE_ROLLOUT: ({ percentage }) => [
    `The rollout includes ${percentage} %`,
    percentage === 0 ? 'nobody' : 'outside',
  ],
  ROLLOUT: ({ percentage }) => [`The rollout includes ${percentage} %`, 'inside', /is in bucket [\d,]+/],
  USER_REQUIRED: () => [
    /needs (a user id|a device|[\w.]+, a number or a text)/,
    /missing|there is none|cannot be hashed/,
  ],
  CONDITIONS_NOT_MET: () => [
    /The conditions are not met: .+ (is .*, expected|in none of|not in|in no group|in the group)/,
  ],
  CONDITIONS_MET: () => [/The conditions are met: .+ (is|in) /],
  ENABLED: () => ['The flag is on for everybody'],
  SPLIT: (_flag, { variant }) =>
    ['the weights of the flag are', `the variant "${variant}"`].map(text => new RegExp(text, 'i')),
};

it('explain and evaluate agree, one step decides, and the text names its fact', { timeout: 30_000 + cases * 2 }, () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.nat(), conditions, attributes, groups, (seed, some, more, names) => {
      const draw = new Draw(seed);
      const base = randomFlag(draw);
      const definition = {
        ...base,
        conditions: draw.chance(0.4) ? some : base.conditions,
        rules: base.rules.map(rule => (draw.chance(0.3) ? { ...rule, when: some } : rule)),
      };
      const random = randomSubject(draw);
      const given = { ...random, attributes: { ...random.attributes, ...more }, groups: [...random.groups, ...names] };
      const flag = compileFlag(definition);
      const subject = subjectOf(definition.key, given);
      const explanation = explain(flag, subject, overrideTime);

      const { text, steps, ...answer } = explanation;
      expect(answer).toEqual(evaluate(flag, subject, overrideTime));
      const { enabled, reason, rule, variant, value } = referenceEvaluate(definition, given, overrideTime);
      expect(answer).toMatchObject({ enabled, reason, rule, variant, value });

      const decided = steps.filter(({ outcome }) => outcome === 'DECIDED').map(({ name }) => name);
      const expected =
        answer.reason === 'USER_REQUIRED'
          ? definition.percentage < 100
            ? 'PERCENTAGE'
            : 'VARIANT'
          : stepOfReason[answer.reason as keyof typeof stepOfReason];
      expect(decided).toEqual([expected]);

      const open = referenceEvaluate({ ...definition, enabled: true }, { ...given, override: null }, overrideTime);
      if (steps.every(one => one.conditions.length < 100)) {
        expect(replayed(definition, explanation)).toEqual({ reason: open.reason, rule: open.rule });
      }

      expect(text.startsWith(`The flag "${definition.key}" is ${enabled ? 'on' : 'off'} for `)).toBe(true);
      for (const fact of facts[reason]?.(definition, explanation) ?? ['an unknown reason']) expect(text).toMatch(fact);
      expect(text).toContain(step(explanation, expected).text);
      for (const one of steps) expect(one.text).toMatch(/^[A-Z"].*\.$/s);
      seen.set(reason, (seen.get(reason) ?? 0) + 1);
    }),
    { numRuns: cases, seed: 15 },
  );
  expect([...seen].filter(([, times]) => times < cases / 200)).toEqual([]);
  expect(seen.size).toBe(10);
});
