import { describe, expect, it } from 'vitest';
import { readConditions, validateConditions } from '../../src/core/conditions.js';
import type { Json } from '../../src/core/json.js';
import { type OperatorName, operators } from '../../src/core/operators.js';
import { foldCase } from '../../src/core/text.js';
import { targeted } from './targeted.js';

const conditions = (expectation: object) => ({ attributes: { x: expectation } });

function holds(expectation: object, x: Json): boolean {
  expect(validateConditions(conditions(expectation))).toEqual([]);
  return readConditions(conditions(expectation)).predicate?.(targeted({ x })) ?? true;
}

describe('ignore_case', () => {
  it.each<[expectation: object, matching: Json[], others: Json[]]>([
    [{ eq: 'Pro' }, ['pro', 'PRO', ['free', 'pRO']], ['prod', 'pro ', ['prod'], 5, null]],
    [{ neq: 'Pro' }, ['prod', ['free'], null], ['pro', 'PRO', ['free', 'pro']]],
    [{ in: ['DE', 'br', 5, true] }, ['de', 'BR', 5, true, ['fr', 'Br']], ['d', 'deu', '5', 'true', false]],
    [{ not_in: ['DE', 'br'] }, ['fr', null, 5], ['de', 'BR', ['De']]],
    [{ contains: 'Corp' }, ['ann@CORP.com', ['x', 'cORP']], ['co', ['mycorp'], 5]],
    [{ not_contains: ['Corp', 'X'] }, ['ann@org', null], ['ann@eXample', 'CORP', ['x']]],
    [{ starts_with: 'Ed' }, ['editor', 'EDITOR', ['red', 'eD']], ['red', 'e', '']],
    [{ ends_with: ['.COM', '.org'] }, ['a.com', 'a.ORG', ['b', 'a.Com']], ['a.comm', 'com', '']],
    [{ starts_with: 'a', ends_with: 'Z', neq: 'AZ' }, ['AbZ'], ['az', 'ab', 'bz']],
    [{ exists: true, not_in: ['us'] }, ['de'], ['US', null]],
  ])('beside %j compares without upper and lower case', (expectation, matching, others) => {
    for (const value of matching)
      expect([value, holds({ ...expectation, ignore_case: true }, value)]).toEqual([value, true]);
    for (const value of others)
      expect([value, holds({ ...expectation, ignore_case: true }, value)]).toEqual([value, false]);
  });

  it('is false where it is not stated, and false may stand beside any operator', () => {
    expect(holds({ eq: 'pro', ignore_case: false }, 'PRO')).toBe(false);
    expect(holds({ eq: 'pro', ignore_case: false }, 'pro')).toBe(true);
    expect(holds({ gte: 5, ignore_case: false }, 5)).toBe(true);
  });

  it.each<[what: string, a: string, b: string, equal: boolean]>([
    ['Latin letters with marks', 'ÄÉÑ', 'äéñ', true],
    ['the final sigma, wherever it stands', 'ΟΔΟΣ', 'οδος', true],
    ['sigma in the middle', 'ςΣσ', 'σσσ', true],
    ['I with a dot and i: the dot is a character of its own', 'İ', 'i', false],
    ['I with a dot and i with the dot above', 'İ', 'i\u0307', true],
    ['i without a dot', 'ı', 'i', false],
    ['sharp s and two s', 'straße', 'STRASSE', false],
    ['sharp s and its capital', 'straße', 'STRAẞE', true],
    ['the Kelvin sign', '\u212a', 'k', true],
    ['a ligature', 'ﬀ', 'ff', false],
    ['Cyrillic and Georgian', 'ПРИВЕТ Ა', 'привет ა', true],
    ['letters outside of the basic plane', '𐐀', '𐐨', true],
    ['composed and decomposed letters', 'É', 'e\u0301', false],
  ])('folds as the documentation says: %s', (_what, a, b, equal) => {
    expect(holds({ eq: a, ignore_case: true }, b)).toBe(equal);
    expect(holds({ eq: b, ignore_case: true }, a)).toBe(equal);
  });

  it('folds a text as it folds its parts, so that parts are found', () => {
    expect(holds({ starts_with: 'οδος', ignore_case: true }, 'ΟΔΟΣΑΡΙΘΜΟΣ')).toBe(true);
    expect(holds({ contains: 'ΟΔΟΣ', ignore_case: true }, 'η οδος 5')).toBe(true);
    expect(holds({ starts_with: 'i', ignore_case: true }, 'İstanbul')).toBe(true);
    expect(holds({ ends_with: 'i\u0307', ignore_case: true }, 'aİ')).toBe(true);
    expect(holds({ ends_with: '𐐨', ignore_case: true }, 'x𐐀')).toBe(true);
  });

  it('never makes a text shorter, on which the operators rely, and no character depends on others', () => {
    for (let code = 1; code <= 0x10_ffff; code += 1) {
      if (code === 0xd800) code = 0xe000;
      const one = String.fromCodePoint(code);
      const folded = foldCase(one);
      if (folded.length < one.length || foldCase(`Α${one}`) !== `α${folded}` || foldCase(`${one}a`) !== `${folded}a`) {
        expect.fail(`U+${code.toString(16)}`);
      }
    }
  });

  it.each<[expectation: object, at: string, message: RegExp]>([
    [{ ignore_case: true }, '', /^Expected at least one operator/],
    [{ ignore_case: false }, '', /^Expected at least one operator/],
    [{ eq: 'a', ignore_case: 'yes' }, '.ignore_case', /^Expected true or false/],
    [{ eq: 'a', ignore_case: null }, '.ignore_case', /^Expected true or false/],
    [{ eq: 'a', ignore_case: 1 }, '.ignore_case', /^Expected true or false/],
    [{ eq: 5, ignore_case: true }, '.ignore_case', /a text to compare/],
    [{ in: [5, true], ignore_case: true }, '.ignore_case', /a text to compare/],
    [{ exists: true, ignore_case: true }, '.ignore_case', /a text to compare/],
    [{ gte: 5, ignore_case: true }, '.ignore_case', /^"gte" compares no texts/],
    [{ gte: '2024-01-01', ignore_case: true }, '.ignore_case', /^"gte" compares no texts/],
    [{ eq: 'a', semver_gt: '1.0.0', ignore_case: true }, '.ignore_case', /^"semver_gt" .*combine both with "all"/],
    [{ in_cidr: '::1', ignore_case: true }, '.ignore_case', /^"in_cidr" compares no texts/],
    [{ matches: 'a', ignore_case: true }, '.ignore_case', /begin the pattern with "\(\?i\)"/],
    [{ eq: 'a', IGNORE_CASE: true }, '.IGNORE_CASE', /^There is no such operator/],
  ])('%j is refused', (expectation, at, message) => {
    const issues = validateConditions(conditions(expectation));
    expect(issues.map(issue => issue.path.join('.'))).toEqual([`conditions.attributes.x${at}`]);
    expect(issues[0]?.message).toMatch(message);
  });

  it('stands beside exactly the operators that compare case', () => {
    const comparing = (Object.keys(operators) as OperatorName[]).filter(name => operators[name].comparesCase);
    expect(comparing).toEqual(['eq', 'neq', 'in', 'not_in', 'contains', 'not_contains', 'starts_with', 'ends_with']);
  });
});
