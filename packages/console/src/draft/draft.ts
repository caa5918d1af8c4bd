import { isSame, type Json, type RuleShape, type VariantShape } from '../words/shapes.js';
import { changesBetween, type FieldChange, type FlagPatch, patchBetween } from './changes.js';
import {
  asJson,
  type FlagFields,
  fieldsOf,
  isListName,
  itemsOf,
  memberOf,
  type Path,
  type SavedFlag,
  samePath,
  withItems,
} from './fields.js';
import { type Conflict, merge, woven } from './merge.js';

/** What somebody is about to save, over the flag that the server has. */
export interface Draft {
  readonly saved: SavedFlag;
  readonly fields: FlagFields;
  /** What another person saved while it was changed here too. */
  readonly conflicts: readonly Conflict[];
}

type RuleEdit = Partial<Omit<RuleShape, 'id'>>;
type VariantEdit = Partial<Omit<VariantShape, 'key'>>;
type PlainFields = Omit<FlagFields, 'rules' | 'variants'>;

export type DraftAction =
  | { readonly type: 'set'; readonly fields: Partial<PlainFields> }
  | { readonly type: 'editRule'; readonly id: string; readonly edit: RuleEdit }
  | { readonly type: 'renameRule'; readonly id: string; readonly to: string }
  | { readonly type: 'addRule'; readonly rule: RuleShape }
  | { readonly type: 'removeRule'; readonly id: string }
  /** `to` is the place that the rule has afterwards, from 0. */
  | { readonly type: 'moveRule'; readonly id: string; readonly to: number }
  | { readonly type: 'setRules'; readonly rules: readonly RuleShape[] }
  | { readonly type: 'editVariant'; readonly key: string; readonly edit: VariantEdit }
  | { readonly type: 'renameVariant'; readonly key: string; readonly to: string }
  | { readonly type: 'addVariant'; readonly variant: VariantShape }
  | { readonly type: 'removeVariant'; readonly key: string }
  /** Takes one place back to what is saved: a field, a rule, a member of a rule, or the order of a list. */
  | { readonly type: 'revert'; readonly path: Path }
  | { readonly type: 'resolve'; readonly path: Path; readonly take: 'mine' | 'theirs' }
  /** The server has another state: what was saved here, or what somebody else saved. */
  | { readonly type: 'saved'; readonly flag: SavedFlag }
  | { readonly type: 'discard' };

export function startDraft(saved: SavedFlag): Draft {
  return { saved, fields: fieldsOf(saved), conflicts: [] };
}

export function reduceDraft(draft: Draft, action: DraftAction): Draft {
  if (action.type === 'saved') return rebased(draft, action.flag);
  if (action.type === 'discard') return startDraft(draft.saved);
  if (action.type === 'resolve') {
    const conflicts = draft.conflicts.filter(({ path }) => !samePath(path, action.path));
    const fields = action.take === 'mine' ? draft.fields : reverted(draft, action.path);
    return { ...draft, fields, conflicts };
  }
  const fields = action.type === 'revert' ? reverted(draft, action.path) : edited(draft.fields, action);
  if (fields === draft.fields) return draft;
  return { ...draft, fields, conflicts: stillOpen(draft.conflicts, fields, draft.saved) };
}

function edited(
  fields: FlagFields,
  action: Exclude<DraftAction, { type: 'saved' | 'discard' | 'resolve' | 'revert' }>,
): FlagFields {
  const { rules, variants } = fields;
  switch (action.type) {
    case 'set':
      return { ...fields, ...action.fields };
    case 'editRule':
      return { ...fields, rules: rules.map(rule => (rule.id === action.id ? { ...rule, ...action.edit } : rule)) };
    case 'renameRule':
      return rules.some(({ id }) => id === action.to)
        ? fields
        : { ...fields, rules: rules.map(rule => (rule.id === action.id ? { ...rule, id: action.to } : rule)) };
    case 'addRule':
      return { ...fields, rules: [...rules, action.rule] };
    case 'removeRule':
      return { ...fields, rules: rules.filter(({ id }) => id !== action.id) };
    case 'moveRule':
      return { ...fields, rules: moved(rules, action.id, action.to) };
    case 'setRules':
      return { ...fields, rules: action.rules };
    case 'editVariant':
      return { ...fields, variants: variants.map(one => (one.key === action.key ? { ...one, ...action.edit } : one)) };
    case 'renameVariant':
      return variants.some(({ key }) => key === action.to) ? fields : renamedVariant(fields, action.key, action.to);
    case 'addVariant':
      return { ...fields, variants: [...variants, action.variant] };
    case 'removeVariant':
      return { ...fields, variants: variants.filter(({ key }) => key !== action.key) };
  }
}

function moved(rules: readonly RuleShape[], id: string, to: number): readonly RuleShape[] {
  const rule = rules.find(one => one.id === id);
  if (rule === undefined) return rules;
  const others = rules.filter(one => one !== rule);
  return [...others.slice(0, Math.max(0, to)), rule, ...others.slice(Math.max(0, to))];
}

/** What names the variant follows it. */
function renamedVariant(fields: FlagFields, key: string, to: string): FlagFields {
  const name = (one: string) => (one === key ? to : one);
  return {
    ...fields,
    offVariant: name(fields.offVariant),
    variants: fields.variants.map(one => ({ ...one, key: name(one.key) })),
    rules: fields.rules.map(rule => ({
      ...rule,
      serve: rule.serve.map(one => ({ ...one, variant: name(one.variant) })),
    })),
  };
}

function reverted({ fields, saved }: Draft, [field, name, member]: Path): FlagFields {
  if (!isListName(field))
    return field === undefined ? fields : { ...fields, [field]: saved[field as keyof FlagFields] };
  const [items, before] = [itemsOf(fields, field), itemsOf(saved, field)];
  if (name === undefined) {
    const order = woven(
      [...before.keys()].filter(one => items.has(one)),
      [...items.keys()],
    );
    return withItems(fields, field, order.map(one => items.get(one)) as never);
  }
  const old = before.get(name);
  if (member !== undefined) {
    const value = memberOf(old, member);
    const change = (item: object, key: string) =>
      key === name && value !== undefined ? { ...item, [member]: value } : item;
    return withItems(fields, field, [...items].map(([key, item]) => change(item, key)) as never);
  }
  if (old === undefined)
    return withItems(
      fields,
      field,
      [...items].filter(([key]) => key !== name).map(([, item]) => item),
    );
  const order = woven(
    [...items.keys()],
    [...before.keys()].filter(one => one === name || items.has(one)),
  );
  return withItems(fields, field, order.map(one => (one === name ? old : items.get(one))) as never);
}

/** My changes over the new state. An older state than the one at hand changes nothing. */
function rebased(draft: Draft, saved: SavedFlag): Draft {
  if (saved.version < draft.saved.version) return draft;
  const { fields, conflicts } = merge(draft.saved, draft.fields, saved);
  const isOpen = ({ path }: Conflict) => !conflicts.some(one => samePath(one.path, path));
  return { saved, fields, conflicts: [...stillOpen(draft.conflicts.filter(isOpen), fields, saved), ...conflicts] };
}

/** Conflicts with the values of now. One about the same on both sides is none any more. */
function stillOpen(conflicts: readonly Conflict[], mine: FlagFields, theirs: FlagFields): readonly Conflict[] {
  return conflicts
    .map(({ path }) => ({ path, mine: valueAt(mine, path), theirs: valueAt(theirs, path) }))
    .filter(one => !isSame(one.mine, one.theirs));
}

/** What stands at a path; for a list its order. */
export function valueAt(fields: FlagFields, [field, name, member]: Path): Json | undefined {
  if (!isListName(field)) return fields[field as keyof FlagFields] as Json;
  const items = itemsOf(fields, field);
  if (name === undefined) return [...items.keys()];
  return member === undefined ? asJson(items.get(name)) : memberOf(items.get(name), member);
}

export function changesOf({ saved, fields }: Draft): readonly FieldChange[] {
  return changesBetween(saved, fields);
}

export function patchOf({ saved, fields }: Draft): FlagPatch {
  return patchBetween(saved, fields);
}

/** An id for a new rule that no other rule has. */
export function freeName(taken: readonly string[], start: string): string {
  for (let number = taken.length + 1; ; number += 1) {
    const name = `${start}-${number}`;
    if (!taken.includes(name)) return name;
  }
}
