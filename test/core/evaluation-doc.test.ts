import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { validateConditions } from '../../src/core/conditions.js';
import { compileFlag, createSubject, evaluate, evaluationReasons } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { operators } from '../../src/core/operators.js';
import { rolloutBucket } from '../../src/core/rollout.js';

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

  it('has examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
  });

  it.each(examples)('$title: valid, and it matches whom it says', ({ conditions, match, miss }) => {
    expect(validateConditions(conditions)).toEqual([]);
    const flag = compileFlag({ key: 'example', enabled: true, percentage: 100, conditions });
    const reasonFor = ({ groups = [], ...attributes }: Example['match'][number]) =>
      evaluate(flag, createSubject({ userId: 'u', attributes: attributes as JsonObject, groups: new Set(groups) }), 0)
        .reason;
    expect(match.map(reasonFor)).toEqual(match.map(() => 'CONDITIONS_MET'));
    expect(miss.map(reasonFor)).toEqual(miss.map(() => 'CONDITIONS_NOT_MET'));
  });
});
