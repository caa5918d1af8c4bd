import { describe, expect, it } from 'vitest';
import { validateConditions } from '../../src/core/conditions.js';
import { compileFlag, createSubject, evaluate } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { rolloutBucket } from '../../src/core/rollout.js';
import vectors from './vectors.json' with { type: 'json' };

interface Case {
  readonly name: string;
  readonly flag: {
    readonly key: string;
    readonly enabled: boolean;
    readonly percentage: number;
    readonly conditions: JsonObject;
  };
  readonly userId: string | null;
  readonly targetingKey?: string;
  readonly device?: string;
  readonly attributes: JsonObject;
  readonly groups: readonly string[];
  readonly override: { readonly enabled: boolean; readonly expiresAt: string | null } | null;
  readonly now: string;
  readonly expect: readonly [boolean, string];
}

describe('the published vectors', () => {
  it.each(vectors.buckets)('$key falls into bucket $bucket of $flagKey', ({ flagKey, key, bucket }) => {
    expect(rolloutBucket(flagKey, key)).toBe(bucket);
  });

  it.each(vectors.cases as unknown as Case[])('$name', testCase => {
    const { flag, userId, targetingKey = null, device = null, attributes, groups, override, now } = testCase;
    const expiresAt = override?.expiresAt == null ? null : Date.parse(override.expiresAt);
    const overrides = new Map(override === null ? [] : [[flag.key, { enabled: override.enabled, expiresAt }]]);
    const subject = createSubject({ userId, targetingKey, device, attributes, groups: new Set(groups), overrides });
    expect(validateConditions(flag.conditions)).toEqual([]);
    const { enabled, reason } = evaluate(compileFlag(flag), subject, Date.parse(now));
    expect([enabled, reason]).toEqual(testCase.expect);
  });

  it.each(vectors.refused.map(({ conditions, paths }) => ({ json: JSON.stringify(conditions), conditions, paths })))(
    'refuses $json',
    ({ conditions, paths }) => {
      const issues = validateConditions(conditions);
      expect(issues.map(({ path }) => path.join('.'))).toEqual(paths);
      const flag = compileFlag({
        key: 'a',
        enabled: true,
        percentage: 100,
        conditions: conditions as unknown as JsonObject,
      });
      expect(flag.faults).toEqual(issues);
      expect(evaluate(flag, createSubject({ userId: 'u' }), 0).reason).toBe('CONDITIONS_NOT_MET');
    },
  );

  it.each(
    vectors.refusedWhenWritten.map(({ conditions, paths }) => ({
      json: JSON.stringify(conditions),
      conditions,
      paths,
    })),
  )('refuses $json when it is written, and not when it is stored already', ({ conditions, paths }) => {
    expect(validateConditions(conditions).map(({ path }) => path.join('.'))).toEqual(paths);
    const flag = compileFlag({
      key: 'a',
      enabled: true,
      percentage: 100,
      conditions: conditions as unknown as JsonObject,
    });
    expect(flag.faults).toEqual([]);
    expect(evaluate(flag, createSubject({ userId: 'u' }), 0).reason).toBe('CONDITIONS_MET');
  });
});
