import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../../src/core/attributes.js';
import { readConditions, validateConditions } from '../../src/core/conditions.js';
import { compileFlag, evaluate, evaluationReasons } from '../../src/core/evaluate.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { type OperatorName, operators } from '../../src/core/operators.js';
import { createSubject } from '../../src/core/subject.js';
import { attributes, conditions, groups, identity, object, operands, value } from './arbitrary-conditions.js';
import { referenceMatches } from './reference.js';
import { type Identity, targeted } from './targeted.js';

const matches = (some: unknown, user: Attributes, memberOf: readonly string[], who: Identity = {}) =>
  readConditions(some).predicate?.(targeted(user, memberOf, who)) ?? true;

/** Anything that JSON can say, with the words of conditions among the keys so that it comes near to valid ones. */
const keywords = [
  'attributes',
  'groups',
  'all',
  'any',
  'not',
  'eq',
  'in',
  'gte',
  'matches',
  'in_cidr',
  'semver_gt',
  'ignore_case',
  '$id',
  '$other',
  '__proto__',
];
const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 6 }),
  fc.letrec(tie => ({
    json: fc.oneof(
      { maxDepth: 7, depthIdentifier: 'json' },
      value,
      fc.array(tie('json'), { maxLength: 3 }),
      object(fc.constantFrom(...keywords), tie('json')),
      object(fc.constantFrom(...keywords), tie('json')),
    ),
  })).json,
);

describe('valid conditions', () => {
  it('are accepted, and mean what a naive reading of the text means', () => {
    let matched = 0;
    const runs = 5_000;
    fc.assert(
      fc.property(conditions, attributes, groups, identity, (some, user, memberOf, who) => {
        expect(validateConditions(some)).toEqual([]);
        const answer = matches(some, user, memberOf, who);
        if (answer) matched += 1;
        expect(answer).toBe(referenceMatches(some, user, memberOf, who));
      }),
      { numRuns: runs },
    );
    // Both answers came up often, so that the agreement says something.
    expect(matched).toBeGreaterThan(runs / 10);
    expect(matched).toBeLessThan((runs * 9) / 10);
  });

  it('mean the same after a round trip through JSON', () => {
    fc.assert(
      fc.property(conditions, attributes, groups, (some, user, memberOf) => {
        const stored: unknown = JSON.parse(JSON.stringify(some));
        expect(stored).toEqual(some);
        expect(validateConditions(stored)).toEqual([]);
        expect(matches(stored, user, memberOf)).toBe(matches(some, user, memberOf));
      }),
    );
  });

  it('have their exact complement in "not"', () => {
    fc.assert(
      fc.property(conditions, attributes, groups, (some, user, memberOf) => {
        expect(matches({ not: some }, user, memberOf)).toBe(!matches(some, user, memberOf));
      }),
    );
  });

  it.each((Object.keys(operators) as OperatorName[]).filter(one => operators[one].complementOf !== null))(
    'with %s hold exactly where its counterpart does not, for any attribute',
    negated => {
      const counterpart = operators[negated].complementOf as OperatorName;
      fc.assert(
        fc.property(operands[negated], attributes, (operand, user) => {
          const one = (operator: OperatorName) => matches({ attributes: { a: { [operator]: operand } } }, user, []);
          expect(one(negated)).toBe(!one(counterpart));
        }),
      );
    },
  );
});

describe('any JSON at all', () => {
  it('can be validated, compiled and evaluated without throwing, and matches nobody when it is not valid', () => {
    fc.assert(
      fc.property(
        anyJson,
        fc.oneof(attributes, fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<Json>)),
        (some, user) => {
          const { issues, faults } = readConditions(some);
          for (const { path, message } of issues) {
            expect(path[0]).toBe('conditions');
            expect(message).toMatch(/\.$/);
          }
          const flag = compileFlag({ key: 'f', enabled: true, percentage: 100, conditions: some as JsonObject });
          expect(flag.faults).toEqual(faults);
          // What is refused only when it is written is among all faults.
          expect(issues).toEqual(expect.arrayContaining([...faults]));
          const { enabled, reason } = evaluate(flag, createSubject({ userId: 'u', attributes: user }), 0);
          expect(evaluationReasons).toContain(reason);
          if (faults.length > 0) expect([enabled, reason]).toEqual([false, 'CONDITIONS_NOT_MET']);
          // The reference reads patterns with the engine of JavaScript, which knows others than RE2 does.
          else if (!JSON.stringify(some).includes('"matches"')) {
            expect(enabled).toBe(referenceMatches(some as JsonObject, user, [], { userId: 'u' }));
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('leaves conditions and attributes as they were', () => {
    fc.assert(
      fc.property(anyJson, attributes, (some, user) => {
        const before = JSON.stringify([some, user]);
        matches(some, user, ['beta']);
        expect(JSON.stringify([some, user])).toBe(before);
      }),
    );
  });
});
