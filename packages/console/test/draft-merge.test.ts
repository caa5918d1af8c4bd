import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesOf, type Draft, type DraftAction, patchOf, reduceDraft, startDraft } from '../src/draft/draft.js';
import type { SavedFlag } from '../src/draft/fields.js';
import { rule, saved } from './support/flag.js';

const edit = (...actions: DraftAction[]) => actions.reduce(reduceDraft, startDraft(saved));
const paths = (draft: Draft) => changesOf(draft).map(({ path }) => path.join('.'));
const ids = (draft: Draft) => draft.fields.rules.map(({ id }) => id).join('');

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

  it('shows mine as it is now while I go on, and is settled when I take the same or give mine up', () => {
    const draft = edit({ type: 'set', fields: { percentage: 40 } }, save({ percentage: 30 }));
    const on = reduceDraft(draft, { type: 'set', fields: { percentage: 50 } });
    expect(on.conflicts).toEqual([{ path: ['percentage'], mine: 50, theirs: 30 }]);
    expect(reduceDraft(on, { type: 'set', fields: { percentage: 30 } }).conflicts).toEqual([]);
    expect(reduceDraft(on, { type: 'revert', path: ['percentage'] }).conflicts).toEqual([]);
    expect(reduceDraft(on, { type: 'set', fields: { owner: 'me' } }).conflicts).toEqual(on.conflicts);
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
