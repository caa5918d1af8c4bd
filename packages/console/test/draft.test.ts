import { describe, expect, it } from 'vitest';
import {
  changesOf,
  type Draft,
  type DraftAction,
  freeName,
  patchOf,
  reduceDraft,
  startDraft,
} from '../src/draft/draft.js';
import { issuesAt, issuesOf, namedIssues } from '../src/draft/validate.js';
import { rule, saved } from './support/flag.js';

const edit = (...actions: DraftAction[]) => actions.reduce(reduceDraft, startDraft(saved));
const paths = (draft: Draft) => changesOf(draft).map(({ path }) => path.join('.'));

describe('a draft', () => {
  it.each<[string, DraftAction[], string[]]>([
    ['nothing', [], []],
    ['a rollout', [{ type: 'set', fields: { percentage: 40 } }], ['percentage']],
    [
      'a rollout there and back',
      [
        { type: 'set', fields: { percentage: 40 } },
        { type: 'set', fields: { percentage: 25 } },
      ],
      [],
    ],
    [
      'a rule',
      [{ type: 'editRule', id: 'b', edit: { percentage: 50, on: false } }],
      ['rules.b.percentage', 'rules.b.on'],
    ],
    ['a new rule', [{ type: 'addRule', rule: rule('d') }], ['rules.d']],
    ['a removed rule', [{ type: 'removeRule', id: 'a' }], ['rules.a']],
    ['a moved rule', [{ type: 'moveRule', id: 'c', to: 0 }], ['rules']],
    ['weights', [{ type: 'editVariant', key: 'cards', edit: { weight: 80 } }], ['variants.cards.weight']],
    [
      'reverted places',
      [
        { type: 'editRule', id: 'b', edit: { percentage: 5 } },
        { type: 'removeRule', id: 'a' },
        { type: 'moveRule', id: 'c', to: 0 },
        { type: 'revert', path: ['rules', 'a'] },
        { type: 'revert', path: ['rules', 'b', 'percentage'] },
        { type: 'revert', path: ['rules'] },
      ],
      [],
    ],
    ['discarded', [{ type: 'set', fields: { name: 'New', tags: [] } }, { type: 'discard' }], []],
  ])('counts what changed: %s', (_name, actions, expected) => {
    expect(paths(edit(...actions))).toEqual(expected);
  });

  it('sends only what changed, for the version that was seen', () => {
    const draft = edit({ type: 'set', fields: { percentage: 40, owner: null, expectedUntil: '2027-01-01T00:00:00Z' } });
    expect(patchOf(draft)).toEqual({
      key: 'pricing',
      expectedVersion: 3,
      percentage: 40,
      expectedUntil: '2027-01-01T00:00:00Z',
    });
    expect(patchOf(startDraft(saved))).toEqual({ key: 'pricing', expectedVersion: 3 });
  });

  it('keeps names apart', () => {
    expect(freeName(['rule-1', 'rule-3'], 'rule')).toBe('rule-4');
    expect(edit({ type: 'renameRule', id: 'a', to: 'b' }).fields.rules[0]?.id).toBe('a');
    const renamed = edit({ type: 'renameVariant', key: 'table', to: 'grid' }).fields;
    expect([renamed.offVariant, renamed.variants[1]?.key]).toEqual(['grid', 'grid']);
  });
});

describe('faults before sending', () => {
  const faults = (fields: object, type = 'STRING') =>
    issuesOf({ ...saved, ...fields }, type).map(({ path, message }) => `${path.join('.')}: ${message}`);

  it.each<[object, string]>([
    [{ percentage: 140 }, 'percentage: 140 is too high. A rollout is 0 to 100.'],
    [{ rules: [rule('a', { percentage: 12.345 })] }, 'rules.a.percentage: 12.345 has more than two decimals.'],
    [{ rules: [rule('a', { when: { attributes: { plan: [] } } })] }, 'rules.a.when.attributes.plan: Write a value.'],
    [
      { rules: [rule('a', { on: false, serve: [{ variant: 'cards', weight: 1 }] })] },
      'rules.a.serve: A rule that turns the flag off serves no variant.',
    ],
    [{ conditions: { all: [{}] } }, 'conditions.all.0: Choose an attribute or a group.'],
    [{ offVariant: 'gone' }, 'offVariant: The flag has no variant gone. Choose another.'],
    [{ variants: saved.variants.map(one => ({ ...one, weight: 0 })) }, 'variants: One weight must be above 0.'],
    [
      { variants: [{ key: 'cards', value: 5, weight: 1 }, saved.variants[1]] },
      'variants.cards.value: This flag needs a text in quotes.',
    ],
    [{ name: ' ' }, 'name: Write a name.'],
    [{ owner: ' x' }, 'owner: Leave out blanks at the beginning and at the end.'],
  ])('%j', (fields, expected) => {
    expect(faults(fields)).toEqual([expected]);
  });

  it('are none in a flag that is saved', () => {
    expect(faults({})).toEqual([]);
    expect(faults({ type: 'BOOLEAN', variants: [], offVariant: 'off' }, 'BOOLEAN')).toEqual([]);
  });

  it('of the server are found by the names of rules', () => {
    const issues = namedIssues(
      [
        { path: ['rules', '1', 'when', 'attributes', 'plan'], message: 'No.' },
        { path: ['percentage'], message: 'High.' },
      ],
      saved,
    );
    expect(issuesAt(issues, ['rules', 'b'])).toEqual(['No.']);
    expect(issuesAt(issues, ['rules', 'a'])).toEqual([]);
    expect(issuesAt(issues, ['percentage'])).toEqual(['High.']);
  });
});
