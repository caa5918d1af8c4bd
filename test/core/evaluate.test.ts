import { describe, expect, it } from 'vitest';
import { compileFlag, evaluate, flagNotFound, sameAnswer } from '../../src/core/evaluate.js';
import type { FlagDefinition } from '../../src/core/flag.js';
import type { JsonObject } from '../../src/core/json.js';
import { createSubject } from '../../src/core/subject.js';

const user = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const on: FlagDefinition = { key: 'new_checkout', enabled: true, percentage: 100, conditions: {} };
const pro = { attributes: { plan: 'pro' } };

const decide = (definition: Partial<FlagDefinition>, fields: Parameters<typeof createSubject>[0], now = 0) => {
  const { enabled, reason } = evaluate(compileFlag({ ...on, ...definition }), createSubject(fields), now);
  return `${enabled} ${reason}`;
};
const override = (enabled: boolean, expiresAt: number | null = null) =>
  new Map([['new_checkout', { enabled, expiresAt }]]);

describe('evaluate takes the first decisive step', () => {
  it.each<[string, Partial<FlagDefinition>, Parameters<typeof createSubject>[0], string]>([
    [
      'an override beats a flag that is off',
      { enabled: false },
      { userId: user, overrides: override(true) },
      'true OVERRIDE',
    ],
    ['an override beats a rollout', { percentage: 0 }, { userId: user, overrides: override(true) }, 'true OVERRIDE'],
    ['an override beats conditions', { conditions: pro }, { userId: user, overrides: override(true) }, 'true OVERRIDE'],
    [
      'an override of another flag is none',
      {},
      { userId: user, overrides: new Map([['other', { enabled: false, expiresAt: null }]]) },
      'true ENABLED',
    ],
    ['off beats the rollout and conditions', { enabled: false, percentage: 50, conditions: pro }, {}, 'false DISABLED'],
    [
      'the rollout is asked before the conditions',
      { percentage: 0, conditions: pro },
      { userId: user },
      'false OUTSIDE_ROLLOUT',
    ],
    ['a rollout of nobody still needs a user', { percentage: 0 }, {}, 'false USER_REQUIRED'],
    [
      'inside the rollout, the conditions decide',
      { percentage: 50, conditions: pro },
      { userId: user },
      'false CONDITIONS_NOT_MET',
    ],
    [
      'inside the rollout with conditions met',
      { percentage: 50, conditions: pro },
      { userId: user, attributes: { plan: 'pro' } },
      'true CONDITIONS_MET',
    ],
    ['a rollout alone', { percentage: 50 }, { userId: user }, 'true ROLLOUT'],
    [
      'empty conditions are not asked',
      { percentage: 50, conditions: { attributes: {} } },
      { userId: user },
      'true ROLLOUT',
    ],
    ['everybody', {}, {}, 'true ENABLED'],
  ])('%s', (_title, definition, fields, expected) => {
    expect(decide(definition, fields)).toBe(expected);
  });
});

describe('an anonymous subject', () => {
  it('gets rollouts by its targeting key, in canonical form', () => {
    expect(decide({ percentage: 50 }, { targetingKey: user })).toBe('true ROLLOUT');
    expect(decide({ percentage: 1 }, { targetingKey: user.toUpperCase() })).toBe('true ROLLOUT');
    expect(decide({ percentage: 50 }, { targetingKey: 'org-42' })).toBe('false OUTSIDE_ROLLOUT');
    expect(decide({ percentage: 50 }, { targetingKey: '' })).toBe('true ROLLOUT');
  });

  it('has no groups and no overrides, even when they are given', () => {
    const fields = { targetingKey: user, groups: new Set(['beta']), overrides: override(true) };
    expect(decide({ conditions: { groups: ['beta'] } }, fields)).toBe('false CONDITIONS_NOT_MET');
    expect(decide({ enabled: false }, fields)).toBe('false DISABLED');
    expect(decide({ conditions: { groups: ['beta'] } }, { ...fields, userId: user })).toBe('true OVERRIDE');
  });
});

describe('a device', () => {
  const device = 'org-42-x';

  it('is hashed where neither a targeting key nor a user id is known, as they are', () => {
    expect(decide({ percentage: 50 }, { device: user })).toBe('true ROLLOUT');
    expect(decide({ percentage: 1 }, { device: user.toUpperCase() })).toBe('true ROLLOUT');
    for (const known of [{ userId: user }, { targetingKey: user }]) {
      expect(decide({ percentage: 1 }, { ...known, device })).toBe('true ROLLOUT');
    }
    expect(decide({ percentage: 1 }, { device })).toBe('false OUTSIDE_ROLLOUT');
    expect(decide({ percentage: 0 }, { device })).toBe('false OUTSIDE_ROLLOUT');
  });

  it('changes nothing but the bucket', () => {
    const fields = { device: user, groups: new Set(['beta']), overrides: override(true) };
    expect(decide({ conditions: { groups: ['beta'] } }, fields)).toBe('false CONDITIONS_NOT_MET');
    expect(decide({ conditions: { attributes: { device: { exists: true } } } }, fields)).toBe(
      'false CONDITIONS_NOT_MET',
    );
    expect(decide({ enabled: false }, fields)).toBe('false DISABLED');
    expect(decide({}, fields)).toBe('true ENABLED');
  });
});

describe('an override', () => {
  it.each([
    [null, 'true OVERRIDE'],
    [1_001, 'true OVERRIDE'],
    [1_000, 'false DISABLED'],
    [999, 'false DISABLED'],
  ])('that expires at %s answers "%s" at 1000', (expiresAt, expected) => {
    expect(decide({ enabled: false }, { userId: user, overrides: override(true, expiresAt) }, 1_000)).toBe(expected);
  });
});

describe('a subject', () => {
  it('holds UUIDs in lower case and other keys as they are', () => {
    const subject = createSubject({ userId: user.toUpperCase(), targetingKey: 'Org-42' });
    expect([subject.userId, subject.targetingKey]).toEqual([user, 'Org-42']);
    expect(createSubject({}).userId).toBeNull();
    expect(createSubject({ targetingKey: user.toUpperCase() }).targetingKey).toBe(user);
  });

  it('rolls out by the targeting key where it has one, else by the user id', () => {
    expect(decide({ percentage: 50 }, { userId: user, targetingKey: 'org-42' })).toBe('false OUTSIDE_ROLLOUT');
    expect(decide({ percentage: 50 }, { userId: 'org-42', targetingKey: user })).toBe('true ROLLOUT');
    expect(decide({ percentage: 50 }, { userId: user.toUpperCase() })).toBe('true ROLLOUT');
  });
});

describe('answers', () => {
  it('are frozen, and one object for each outcome of a compiled flag', () => {
    const flag = compileFlag({ ...on, percentage: 50, conditions: pro });
    const first = evaluate(flag, createSubject({ userId: user, attributes: { plan: 'pro' } }), 0);
    const second = evaluate(flag, createSubject({ userId: user, attributes: { plan: 'pro' } }), 1);
    expect(second).toBe(first);
    expect(Object.isFrozen(first)).toBe(true);
    expect(first).toEqual({
      key: 'new_checkout',
      enabled: true,
      reason: 'CONDITIONS_MET',
      type: 'BOOLEAN',
      variant: 'on',
      value: true,
      rule: null,
    });
  });

  it('of a flag that does not exist carry the default', () => {
    const nothing = { type: null, variant: null, value: null, rule: null };
    expect(flagNotFound('gone', true)).toEqual({ key: 'gone', enabled: true, reason: 'FLAG_NOT_FOUND', ...nothing });
    expect(Object.isFrozen(flagNotFound('gone', false))).toBe(true);
  });

  it('are the same when answer and reason are, whichever compilation they come from', () => {
    const answer = (definition: Partial<FlagDefinition>) =>
      evaluate(compileFlag({ ...on, ...definition }), createSubject({}), 0);
    expect(sameAnswer(answer({}), answer({}))).toBe(true);
    expect(sameAnswer(answer({}), answer({ enabled: false }))).toBe(false);
    expect(sameAnswer(answer({ enabled: false }), answer({ percentage: 5 }))).toBe(false);
  });
});

describe('a compiled flag', () => {
  it('names the fault of conditions that another program stored, and matches nobody', () => {
    const flag = compileFlag({ ...on, conditions: { not: { tier: 'pro' } } as unknown as JsonObject });
    expect(flag.faults.map(({ path }) => path.join('.'))).toEqual(['conditions.not.tier']);
    expect(evaluate(flag, createSubject({ userId: user }), 0).reason).toBe('CONDITIONS_NOT_MET');
    expect(evaluate(flag, createSubject({ userId: user, overrides: override(true) }), 0).reason).toBe('OVERRIDE');
  });

  it('knows its key, its definition and the groups it names', () => {
    const definition = { ...on, conditions: { not: { groups: ['banned'] } } };
    const flag = compileFlag(definition);
    expect([flag.key, flag.definition, flag.groups, flag.faults]).toEqual([
      'new_checkout',
      definition,
      new Set(['banned']),
      [],
    ]);
  });
});
