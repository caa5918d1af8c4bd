import { isSame, type Json, type RuleShape, type VariantShape } from '../words/shapes.js';

/** What people edit in a flag before they save. The switch is no part of it: it acts at once. */
export interface FlagFields {
  readonly name: string;
  readonly description: string | null;
  readonly percentage: number;
  readonly conditions: Json;
  readonly variants: readonly VariantShape[];
  readonly offVariant: string;
  readonly rules: readonly RuleShape[];
  readonly bucketBy: string | null;
  readonly tags: readonly string[];
  readonly owner: string | null;
  /** ISO 8601. */
  readonly expectedUntil: string | null;
}

/** A flag as the server has it. */
export interface SavedFlag extends FlagFields {
  readonly key: string;
  readonly type: string;
  readonly enabled: boolean;
  readonly version: number;
}

export const fieldNames = [
  'name',
  'description',
  'percentage',
  'conditions',
  'variants',
  'offVariant',
  'rules',
  'bucketBy',
  'tags',
  'owner',
  'expectedUntil',
] as const satisfies readonly (keyof FlagFields)[];

export type FieldName = (typeof fieldNames)[number];

/** Where something is in a flag: rules are named by their ids, variants by their keys, not by their places. */
export type Path = readonly string[];

export const samePath = (one: Path, other: Path) =>
  one.length === other.length && one.every((part, index) => part === other[index]);

export const startsWith = (path: Path, start: Path) => samePath(path.slice(0, start.length), start);

/** The fields that are lists of things with names. */
export type ListName = 'rules' | 'variants';

export const isListName = (name: string | undefined): name is ListName => name === 'rules' || name === 'variants';

type Item = RuleShape | VariantShape;

/** A list as a map from names to items, in its order. */
export function itemsOf(fields: FlagFields, list: ListName): ReadonlyMap<string, Item> {
  return list === 'rules'
    ? new Map(fields.rules.map(rule => [rule.id, rule]))
    : new Map(fields.variants.map(variant => [variant.key, variant]));
}

/** What is edited of an item, beside its name. */
export const membersOf = {
  rules: ['when', 'percentage', 'on', 'serve'],
  variants: ['value', 'weight'],
} as const satisfies Record<ListName, readonly string[]>;

export function memberOf(item: Item | undefined, member: string): Json | undefined {
  return (item as unknown as { readonly [name: string]: Json } | undefined)?.[member];
}

export function withItems(fields: FlagFields, list: ListName, items: readonly Item[]): FlagFields {
  return { ...fields, [list]: items };
}

export function isSameItem(list: ListName, one: Item | undefined, other: Item | undefined): boolean {
  return membersOf[list].every(member => isSame(memberOf(one, member), memberOf(other, member)));
}

export const asJson = (item: Item | undefined) => item as unknown as Json | undefined;

/** The flag's own fields, without what only the server sets. */
export function fieldsOf(flag: FlagFields): FlagFields {
  return Object.fromEntries(fieldNames.map(name => [name, flag[name]])) as unknown as FlagFields;
}
