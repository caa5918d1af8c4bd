import { describe, expect, it } from 'vitest';
import { deedOf, deedText, type ToldChange } from '../src/words/deeds.js';

const nothing: ToldChange = {
  ...{ kind: 'FLAG_UPDATED', flagKey: 'checkout', group: null, userIds: [], userCount: 0 },
  ...{ before: null, after: null, reverts: null, differences: [] },
};
const update = (...differences: [path: string, before: unknown, after: unknown][]): ToldChange => ({
  ...nothing,
  differences: differences.map(([path, before, after]) => ({ path: path.split('.'), before, after })),
});
const rule = { id: 'staff', when: {}, percentage: 100, on: true, serve: [] };

describe('the sentence about a change', () => {
  it.each<[string, string, ToldChange]>([
    ['created checkout', 'created the flag', { ...nothing, kind: 'FLAG_CREATED' }],
    ['brought back checkout', 'brought back the flag', { ...nothing, kind: 'FLAG_CREATED', reverts: 4 }],
    ['deleted checkout', 'deleted the flag', { ...nothing, kind: 'FLAG_DELETED' }],
    ['turned on checkout', 'turned on', update(['enabled', false, true])],
    ['turned off checkout', 'turned off', update(['enabled', true, false])],
    ['raised the rollout of checkout', 'raised the rollout', update(['percentage', 20, 25])],
    ['lowered the rollout of checkout', 'lowered the rollout', update(['percentage', 20, 0])],
    ['added rule staff to checkout', 'added rule staff', update(['rules.staff', null, rule])],
    ['removed rule staff from checkout', 'removed rule staff', update(['rules.staff', rule, null])],
    ['changed rule staff of checkout', 'changed rule staff', update(['rules.staff.percentage', 50, 60])],
    ['moved rules of checkout', 'moved rules', update(['rules', ['a', 'b'], ['b', 'a']])],
    [
      'changed the weights of checkout',
      'changed the weights',
      update(['variants.a.weight', 1, 2], ['variants.b.weight', 2, 1]),
    ],
    ['changed the variants of checkout', 'changed the variants', update(['variants.a.value', 'x', 'y'])],
    [
      'changed the name and the tags of checkout',
      'changed the name and the tags',
      update(['name', 'a', 'b'], ['tags', [], ['x']]),
    ],
    ['changed 2 fields of checkout', 'changed 2 fields', update(['enabled', false, true], ['percentage', 1, 2])],
    [
      'went back to revision 1,042 of checkout',
      'went back to revision 1,042',
      { ...update(['name', 'a', 'b']), reverts: 1_042 },
    ],
    [
      'turned on checkout for auth0|1',
      'turned it on for auth0|1',
      { ...nothing, kind: 'OVERRIDE_SET', userIds: ['auth0|1'], userCount: 1, after: { enabled: true } },
    ],
    [
      'removed the override of ann of checkout',
      'removed the override of ann',
      { ...nothing, kind: 'OVERRIDE_REMOVED', userIds: ['ann'], userCount: 1 },
    ],
    [
      'added 1,200 users to beta',
      'added 1,200 users to beta',
      { ...nothing, kind: 'MEMBERS_ADDED', flagKey: null, group: 'beta', userIds: ['a', 'b'], userCount: 1_200 },
    ],
    [
      'revoked the key build',
      'revoked the key build',
      { ...nothing, kind: 'API_KEY_REVOKED', flagKey: null, before: { name: 'build' } },
    ],
    ['emptied a table', 'emptied a table', { ...nothing, kind: 'RESET', flagKey: null }],
    ['made a change', 'made a change', { ...nothing, kind: 'OF_A_LATER_VERSION', flagKey: null }],
  ])('says: %s', (everywhere, within, change) => {
    expect(deedText(deedOf(change))).toBe(everywhere);
    expect(deedText(deedOf(change, true))).toBe(within);
  });
});
