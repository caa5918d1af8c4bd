import { describe, expect, it } from 'vitest';
import { validateConditions } from '../../src/core/conditions.js';
import { compileFlag, evaluate } from '../../src/core/evaluate.js';
import type { JsonObject } from '../../src/core/json.js';
import { fmix32, murmur3 } from '../../src/core/murmur3.js';
import { rolloutBucket } from '../../src/core/rollout.js';
import { chooseShare, splitSeed, variantHash } from '../../src/core/split.js';
import { createSubject } from '../../src/core/subject.js';
import { definitionIssues } from '../../src/core/values.js';
import { type ReferenceFlag, referenceEvaluate, referenceSplit } from './reference-flag.js';
import { referenceFmix32, referenceMurmur3 } from './reference-hash.js';
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

interface ValueCase extends Omit<Case, 'flag' | 'targetingKey' | 'device' | 'override' | 'expect'> {
  readonly flag: ReferenceFlag;
  readonly targetingKey: string | null;
  readonly device: string | null;
  readonly override: {
    readonly enabled: boolean;
    readonly variant: string | null;
    readonly expiresAt: string | null;
  } | null;
  readonly expect: object;
}

describe('the published vectors of values', () => {
  it.each(vectors.splits)('$unit has the variant $variant of $flagKey', ({ flagKey, unit, base, shares, variant }) => {
    expect(murmur3(unit, splitSeed(flagKey))).toBe(base);
    expect(referenceMurmur3(unit, referenceMurmur3(flagKey, 1))).toBe(base);
    for (const { variant: key, x } of shares) {
      expect(fmix32(base ^ variantHash(key))).toBe(x);
      expect(referenceFmix32(base ^ referenceMurmur3(key, 0))).toBe(x);
    }
    expect(shares.map(({ q }) => q)).toEqual(
      shares.map(({ x }) => Math.floor(-Math.log((x + 0.5) / 2 ** 32) * 2 ** 30)),
    );
    const compiled = shares.map(({ variant: key, weight }) => ({ key, weight, hash: variantHash(key) }));
    expect(chooseShare(compiled, base).key).toBe(variant);
    expect(referenceSplit(flagKey, shares, unit)).toBe(variant);
  });

  it.each(vectors.valueCases as unknown as ValueCase[])('$name', testCase => {
    const { flag, groups, override, now, expect: expected, name: _name, ...identity } = testCase;
    const expiresAt = override?.expiresAt == null ? null : Date.parse(override.expiresAt);
    const decision = override === null ? null : { ...override, expiresAt };
    const overrides = new Map(decision === null ? [] : [[flag.key, decision]]);
    expect(definitionIssues(flag)).toEqual([]);
    const subject = createSubject({ ...identity, groups: new Set(groups), overrides });
    expect(evaluate(compileFlag(flag), subject, Date.parse(now))).toMatchObject(expected);
    expect(referenceEvaluate(flag, { ...identity, groups, override: decision }, Date.parse(now))).toMatchObject(
      expected,
    );
  });
});

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
