import { readFileSync } from 'node:fs';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { attributeLimits } from '../../src/core/attributes.js';
import { maxDepth, maxLeaves, validateConditions } from '../../src/core/conditions.js';
import { issueLimits } from '../../src/core/errors.js';
import { compileFlag, evaluate, evaluationReasons } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { murmur3 } from '../../src/core/murmur3.js';
import { maxSearchedLength } from '../../src/core/operands.js';
import { maxListElements, maxListText, operators } from '../../src/core/operators.js';
import { maxMatchedLength } from '../../src/core/pattern.js';
import { rolloutBucket } from '../../src/core/rollout.js';
import { searchLimits } from '../../src/core/search-budget.js';
import { chooseShare, splitSeed, variantHash } from '../../src/core/split.js';
import { createSubject } from '../../src/core/subject.js';
import { maxEchoLength, maxNameLength } from '../../src/core/text.js';

const page = readFileSync(new URL('../../docs/evaluation.md', import.meta.url), 'utf8');

/** The rows of the first table under a heading, without its head, as cells. */
function tableUnder(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n');
  const first = lines.findIndex(line => line.startsWith('|'));
  const end = lines.findIndex((line, index) => index > first && !line.startsWith('|'));
  const rows = lines.slice(first + 2, end);
  return rows.map(row =>
    row
      .slice(1, -1)
      .split('|')
      .map(cell => cell.trim()),
  );
}

const code = (cell: string | undefined) => cell?.replace(/^`|`$/g, '') ?? '';

interface Example {
  readonly conditions: JsonObject;
  readonly match: readonly (JsonObject & { readonly groups?: readonly string[] })[];
  readonly miss: readonly (JsonObject & { readonly groups?: readonly string[] })[];
}

const examples = [...page.matchAll(/\n([^\n]+):\n\n```json\n([\s\S]*?)```/g)].map(([, title = '', json = '']) => ({
  title,
  ...(JSON.parse(json) as Example),
}));

describe('docs/evaluation.md', () => {
  it('lists exactly the operators there are, as the table in the code describes them', () => {
    const inCode = Object.entries(operators).map(([name, { operand, description }]) => [
      `\`${name}\``,
      operand,
      description,
    ]);
    expect(tableUnder('Operators')).toEqual(inCode);
  });

  it('explains every reason', () => {
    const steps = JSON.stringify(tableUnder('Steps and reasons'));
    for (const reason of evaluationReasons) expect(steps).toContain(`\`${reason}\``);
  });

  it('states the buckets that the code computes', () => {
    const rows = tableUnder('Rollout');
    expect(rows.length).toBeGreaterThan(5);
    for (const [flag, key, bucket] of rows) {
      expect(rolloutBucket(code(flag), code(key))).toBe(Number(bucket));
    }
  });

  it('states the variants that the split chooses', () => {
    const rows = tableUnder('Variants');
    expect(rows.length).toBeGreaterThan(5);
    for (const [flag, unit, weights = '', base, variant] of rows) {
      const hash = murmur3(code(unit), splitSeed(code(flag)));
      expect(hash).toBe(Number(base));
      const shares = weights.split(', ').map(share => {
        const [key = '', weight = ''] = share.split(' ');
        return { key, weight: Number(weight), hash: variantHash(key) };
      });
      expect(chooseShare(shares, hash).key).toBe(variant);
    }
  });

  it('states the limits that the code has', () => {
    const limits = tableUnder('Limits').map(([what = '', limit = '']) => [what.split(/[;,]/)[0], limit]);
    const count = (number: number) => number.toLocaleString('en');
    expect(limits).toEqual([
      ['operators', `${count(maxLeaves)} in one flag`],
      ['forms', count(maxDepth)],
      ['names of attributes and groups', `1 to ${maxNameLength} characters`],
      [
        'patterns of `matches`',
        `${searchLimits.patternSteps} steps and ${count(searchLimits.patternCharacters)} UTF-16 code units, together in one flag`,
      ],
      [
        'texts that `contains` and `not_contains` look for',
        `${searchLimits.searchedTexts} together in one flag, each of up to ${maxSearchedLength} UTF-16 code units`,
      ],
      ['operators on dates', `${searchLimits.readings} together in one flag`],
      ['text anywhere', 'no NUL, no half of a surrogate pair'],
    ]);
    expect(page).toContain(`A text of more than ${count(maxMatchedLength)} UTF-16 code units matches no pattern`);
    expect(page).toContain(`A list of more than ${count(maxListElements)} elements matches only`);
    expect(page).toMatch(new RegExp(`texts have together more than\\s+${count(maxListText)} UTF-16 code units`));
    expect(page).toContain(`stored with more than ${searchLimits.readings} operators on dates`);
    expect(page).toContain(`Names of more than ${attributeLimits.depth} parts`);
    expect(page).toContain(`An error lists up to ${issueLimits.count} faults`);
    expect(page).toContain(`cut to ${maxEchoLength} UTF-16 code units`);
  });

  it('says how many steps patterns have', () => {
    for (const [pattern, steps] of [
      ['a{100}', 102],
      ['a+', 4],
    ] as const) {
      expect(page).toContain(`\`${pattern}\` has ${steps}`);
      expect(RE2JS.compile(pattern).programSize()).toBe(steps);
    }
  });

  it('has examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
  });

  it.each(examples)('$title: valid, and it matches whom it says', ({ conditions, match, miss }) => {
    expect(validateConditions(conditions)).toEqual([]);
    const flag = compileFlag({ key: 'example', enabled: true, percentage: 100, conditions });
    const reasonFor = ({ groups = [], $id, $targetingKey, ...attributes }: Example['match'][number]) =>
      evaluate(
        flag,
        createSubject({
          userId: ($id ?? 'u') as string,
          targetingKey: ($targetingKey ?? null) as string | null,
          attributes: attributes as JsonObject,
          groups: new Set(groups),
        }),
        0,
      ).reason;
    expect(match.map(reasonFor)).toEqual(match.map(() => 'CONDITIONS_MET'));
    expect(miss.map(reasonFor)).toEqual(miss.map(() => 'CONDITIONS_NOT_MET'));
  });
});
