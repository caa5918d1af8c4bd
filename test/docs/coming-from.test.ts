import { describe, expect, it } from 'vitest';
import { validateConditions } from '../../src/core/conditions.js';
import { compileFlag, evaluate } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { createSubject } from '../../src/core/subject.js';
import { readPage } from '../support/page-examples.js';

interface User extends JsonObject {
  readonly groups?: readonly string[];
  readonly $id?: string;
  readonly $targetingKey?: string;
}

const { text } = readPage('docs/coming-from.md');

/** The JSON in a cell. A bar in a cell of a table is written as `\|`. */
const json = <T>(cell: string) => JSON.parse(cell.replace(/^`|`$/g, '').replaceAll('\\|', '|')) as T;

const rows = text.split('\n## ').flatMap(section => {
  const [product = ''] = section.split('\n');
  return section
    .split('\n')
    .filter(line => line.startsWith('| ') && !line.startsWith('| there |'))
    .map(line => line.slice(1, -1).split(/(?<!\\)\|/))
    .filter(cells => cells.length === 4)
    .map(cells => cells.map(cell => cell.trim()))
    .map(([there = '', conditions = '', on = '', off = '']) => ({ product, there, conditions, on, off }));
});

function isOn(conditions: JsonObject, { groups, $id, $targetingKey, ...attributes }: User): boolean {
  const flag = compileFlag({ key: 'example', enabled: true, percentage: 100, conditions });
  // Only users have groups.
  const userId = $id ?? (groups === undefined ? null : 'somebody');
  const subject = { userId, targetingKey: $targetingKey ?? null, attributes, groups: new Set(groups) };
  return evaluate(flag, createSubject(subject as object), 0).enabled;
}

describe('docs/coming-from.md', () => {
  it('has examples for each product', () => {
    const products = [...new Set(rows.map(({ product }) => product))];
    expect(products).toEqual(['LaunchDarkly', 'Unleash', 'Flagsmith', 'GrowthBook', 'flagd and OpenFeature']);
    expect(rows.length).toBeGreaterThan(40);
  });

  it.each(rows)('$product, $there: valid, and on and off as it says', ({ conditions, on, off }) => {
    const here = json<JsonObject>(conditions);
    expect(validateConditions(here)).toEqual([]);
    expect([isOn(here, json<User>(on)), isOn(here, json<User>(off))]).toEqual([true, false]);
  });
});
