import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFlag, evaluate } from '../../../src/core/evaluate.js';
import { createSubject } from '../../../src/core/subject.js';
import {
  removeAt,
  renameAt,
  setAt,
  testsOf,
  typedValue,
  wishOf,
  withCondition,
  wrapAt,
} from '../src/draft/condition-edits.js';
import {
  changesOf,
  type Draft,
  type DraftAction,
  freeName,
  patchOf,
  reduceDraft,
  startDraft,
} from '../src/draft/draft.js';
import type { SavedFlag } from '../src/draft/fields.js';
import { issuesAt, issuesOf, namedIssues } from '../src/draft/validate.js';
import type { Json, RuleShape } from '../src/words/shapes.js';

const rule = (id: string, fields: Partial<RuleShape> = {}): RuleShape => ({
  id,
  when: { groups: [id] },
  percentage: 100,
  on: true,
  serve: [],
  ...fields,
});

const saved: SavedFlag = {
  key: 'pricing',
  type: 'STRING',
  enabled: true,
  version: 3,
  name: 'Pricing',
  description: null,
  percentage: 25,
  conditions: { attributes: { plan: ['pro', 'team'] } },
  variants: [
    { key: 'cards', value: 'cards', weight: 50 },
    { key: 'table', value: 'table', weight: 50 },
  ],
  offVariant: 'table',
  rules: [rule('a'), rule('b'), rule('c')],
  bucketBy: null,
  tags: ['growth'],
  owner: null,
  expectedUntil: null,
};

const edit = (...actions: DraftAction[]) => actions.reduce(reduceDraft, startDraft(saved));
const paths = (draft: Draft) => changesOf(draft).map(({ path }) => path.join('.'));
const ids = (draft: Draft) => draft.fields.rules.map(({ id }) => id).join('');

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

describe('a save by another person', () => {
  const save = (fields: Partial<SavedFlag>): DraftAction => ({
    type: 'saved',
    flag: { ...saved, version: 4, ...fields },
  });

  it('moves under the draft what only they changed', () => {
    const draft = edit(
      { type: 'set', fields: { percentage: 40 } },
      save({ owner: 'growth', rules: [rule('b'), rule('a'), rule('c'), rule('d')] }),
    );
    expect([draft.fields.percentage, draft.fields.owner, ids(draft), draft.conflicts]).toEqual([
      40,
      'growth',
      'bacd',
      [],
    ]);
    expect(patchOf(draft)).toEqual({ key: 'pricing', expectedVersion: 4, percentage: 40 });
  });

  it('keeps mine where both changed a field, and tells both', () => {
    const draft = edit({ type: 'set', fields: { percentage: 40 } }, save({ percentage: 30 }));
    expect(draft.conflicts).toEqual([{ path: ['percentage'], mine: 40, theirs: 30 }]);
    expect(draft.fields.percentage).toBe(40);
    const theirs = reduceDraft(draft, { type: 'resolve', path: ['percentage'], take: 'theirs' });
    expect([theirs.fields.percentage, theirs.conflicts, paths(theirs)]).toEqual([30, [], []]);
    expect(reduceDraft(draft, { type: 'resolve', path: ['percentage'], take: 'mine' }).fields.percentage).toBe(40);
  });

  it('is no conflict if both changed it to the same', () => {
    const draft = edit({ type: 'set', fields: { percentage: 40 } }, save({ percentage: 40 }));
    expect([draft.conflicts, paths(draft)]).toEqual([[], []]);
  });

  it('merges different members of one rule', () => {
    const draft = edit(
      { type: 'editRule', id: 'b', edit: { percentage: 10 } },
      save({ rules: [rule('a'), rule('b', { on: false }), rule('c')] }),
    );
    expect(draft.fields.rules[1]).toMatchObject({ percentage: 10, on: false });
    expect(draft.conflicts).toEqual([]);
  });

  it('keeps a rule that I edited and they removed, and asks', () => {
    const draft = edit(
      { type: 'editRule', id: 'b', edit: { percentage: 10 } },
      save({ rules: [rule('a'), rule('c')] }),
    );
    expect(ids(draft)).toBe('abc');
    expect(draft.conflicts).toMatchObject([{ path: ['rules', 'b'], mine: { percentage: 10 } }]);
    expect(ids(reduceDraft(draft, { type: 'resolve', path: ['rules', 'b'], take: 'theirs' }))).toBe('ac');
  });

  it('leaves a rule away that I removed and they edited, and asks', () => {
    const draft = edit(
      { type: 'removeRule', id: 'b' },
      save({ rules: [rule('a'), rule('b', { percentage: 5 }), rule('c')] }),
    );
    expect(ids(draft)).toBe('ac');
    expect(draft.conflicts).toMatchObject([{ path: ['rules', 'b'], theirs: { percentage: 5 } }]);
    expect(ids(reduceDraft(draft, { type: 'resolve', path: ['rules', 'b'], take: 'theirs' }))).toBe('abc');
  });

  it('conflicts about an order that both changed', () => {
    const draft = edit({ type: 'moveRule', id: 'c', to: 0 }, save({ rules: [rule('b'), rule('a'), rule('c')] }));
    expect([ids(draft), draft.conflicts.map(({ path }) => path)]).toEqual(['cab', [['rules']]]);
    expect(ids(reduceDraft(draft, { type: 'resolve', path: ['rules'], take: 'theirs' }))).toBe('bac');
  });

  it('keeps an open conflict when a third person saves something else', () => {
    const draft = edit(
      { type: 'set', fields: { percentage: 40 } },
      save({ percentage: 30 }),
      save({ percentage: 30, owner: 'x', version: 5 }),
    );
    expect(draft.conflicts).toEqual([{ path: ['percentage'], mine: 40, theirs: 30 }]);
  });

  it('ignores a state that is older than the one at hand', () => {
    expect(edit(save({ percentage: 1, version: 2 })).fields.percentage).toBe(25);
  });
});

describe('merges of random drafts', () => {
  const someRule = (id: string) =>
    fc.record({ percentage: fc.constantFrom(100, 50, 25), on: fc.boolean() }).map(fields => rule(id, fields));
  const rules = fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e']).chain(names => fc.tuple(...names.map(someRule)));
  const someFields = fc.record({
    percentage: fc.constantFrom(25, 30, 40),
    owner: fc.constantFrom(null, 'x', 'y'),
    rules,
  });
  const draftOf = (mine: object, theirs: object) =>
    reduceDraft(
      { ...startDraft(saved), fields: { ...startDraft(saved).fields, ...mine } },
      { type: 'saved', flag: { ...saved, ...theirs, version: 4 } as SavedFlag },
    );

  it('lose nothing of mine: each of my changes is still there', () => {
    fc.assert(
      fc.property(someFields, someFields, (mine, theirs) => {
        const draft = draftOf(mine, theirs);
        if (mine.percentage !== 25) expect(draft.fields.percentage).toBe(mine.percentage);
        for (const one of mine.rules) {
          const before = saved.rules.find(({ id }) => id === one.id);
          const after = draft.fields.rules.find(({ id }) => id === one.id);
          if (before === undefined || one.percentage !== before.percentage)
            expect(after?.percentage).toBe(one.percentage);
        }
        const now = draft.fields.rules.map(({ id }) => id);
        expect(new Set(now).size).toBe(now.length);
      }),
      { numRuns: 1_000, seed: 3 },
    );
  });

  it('take over everything of theirs where I changed nothing', () => {
    fc.assert(
      fc.property(someFields, theirs => {
        const draft = draftOf({}, theirs);
        expect([draft.conflicts, paths(draft)]).toEqual([[], []]);
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it('are their state once every conflict and every change is given up', () => {
    fc.assert(
      fc.property(someFields, someFields, (mine, theirs) => {
        let draft = draftOf(mine, theirs);
        for (const { path } of draft.conflicts) draft = reduceDraft(draft, { type: 'resolve', path, take: 'theirs' });
        for (const { path } of changesOf(draft)) draft = reduceDraft(draft, { type: 'revert', path });
        for (const { path } of changesOf(draft)) draft = reduceDraft(draft, { type: 'revert', path });
        expect(paths(draft)).toEqual([]);
      }),
      { numRuns: 1_000, seed: 3 },
    );
  });
});

describe('edits of conditions', () => {
  const nested = { all: [{ attributes: { plan: 'pro', build: { gte: 420 } } }, { not: { groups: ['banned'] } }] };

  it('set, rename and remove a part by its path', () => {
    expect(setAt(nested, ['all', '0', 'attributes', 'build', 'gte'], 500)).toMatchObject({
      all: [{ attributes: { build: { gte: 500 } } }, {}],
    });
    expect(
      Object.keys(
        (renameAt(nested, ['all', '0', 'attributes', 'plan'], 'tier') as { all: [{ attributes: object }] }).all[0]
          .attributes,
      ),
    ).toEqual(['tier', 'build']);
    expect(removeAt(nested, ['all', '1', 'not', 'groups', '0'])).toEqual({ all: [nested.all[0]] });
    expect(removeAt({ groups: ['a'] }, ['groups'])).toEqual({});
    expect(wrapAt({ groups: ['a'] }, [], 'not')).toEqual({ not: { groups: ['a'] } });
  });

  it.each<[Json, Json]>([
    [{}, { attributes: { beta: true } }],
    [{ attributes: { plan: 'pro' } }, { attributes: { plan: 'pro', beta: true } }],
    [{ attributes: { beta: false } }, { all: [{ attributes: { beta: false } }, { attributes: { beta: true } }] }],
    [{ groups: ['a'] }, { all: [{ groups: ['a'] }, { attributes: { beta: true } }] }],
    [{ all: [{ groups: ['a'] }] }, { all: [{ groups: ['a'] }, { attributes: { beta: true } }] }],
  ])('a condition in addition to %j narrows', (before, after) => {
    expect(withCondition(before, { attributes: { beta: true } })).toEqual(after);
  });

  it('turn what is typed into a value of the right type', () => {
    expect([
      typedValue('5', 'seats', 'eq'),
      typedValue('"5"', 'seats', 'eq'),
      typedValue('5', '$id', 'in'),
      typedValue('2.1', 'v', 'semver_gte'),
      typedValue('true', 'beta', 'eq'),
      typedValue('2024-01-31', 'at', 'lt'),
    ]).toEqual([5, '5', '5', '2.1', true, '2024-01-31']);
  });

  it.each<Json>([
    'pro',
    ['pro', 'team'],
    { gte: 1, lt: 5 },
    { contains: 'a' },
    { ends_with: ['a', 'b'], ignore_case: true },
    { exists: false },
    { not_in: ['a'] },
  ])('keeps the meaning of %j', wish => {
    expect(wishOf(testsOf(wish))).toEqual(wish);
  });

  it('makes conditions that the server takes', () => {
    const flag = compileFlag({
      key: 'x',
      enabled: true,
      percentage: 100,
      conditions: withCondition(nested, { attributes: { a: 1 } }) as never,
    });
    expect(flag.faults).toEqual([]);
    expect(
      evaluate(flag, createSubject({ userId: 'ann', attributes: { plan: 'pro', build: 420, a: 1 } }), 0).enabled,
    ).toBe(true);
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
