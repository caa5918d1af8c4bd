import { isSame, type Json } from '../words/shapes.js';
import {
  asJson,
  type FieldName,
  type FlagFields,
  fieldNames,
  isListName,
  isSameItem,
  itemsOf,
  type ListName,
  memberOf,
  membersOf,
  type Path,
  type SavedFlag,
} from './fields.js';

export interface FieldChange {
  readonly path: Path;
  /** Undefined: it is new. */
  readonly before: Json | undefined;
  /** Undefined: it is removed. */
  readonly after: Json | undefined;
}

/** Everything that differs: a plain field, a member of a rule or a variant, a whole rule, or the order of a list. */
export function changesBetween(before: FlagFields, after: FlagFields): readonly FieldChange[] {
  return fieldNames.flatMap(name => {
    if (isListName(name)) return listChanges(name, before, after);
    const [from, to] = [before[name] as Json, after[name] as Json];
    return isSame(from, to) ? [] : [{ path: [name], before: from, after: to }];
  });
}

function listChanges(list: ListName, before: FlagFields, after: FlagFields): FieldChange[] {
  const [from, to] = [itemsOf(before, list), itemsOf(after, list)];
  const changes: FieldChange[] = [];
  for (const name of new Set([...from.keys(), ...to.keys()])) {
    const [one, other] = [from.get(name), to.get(name)];
    if (one === undefined || other === undefined) {
      changes.push({ path: [list, name], before: asJson(one), after: asJson(other) });
      continue;
    }
    if (isSameItem(list, one, other)) continue;
    for (const member of membersOf[list]) {
      const [was, is] = [memberOf(one, member), memberOf(other, member)];
      if (!isSame(was, is)) changes.push({ path: [list, name, member], before: was, after: is });
    }
  }
  const order = [...to.keys()];
  const expected = [...from.keys()].filter(name => to.has(name));
  if (
    !isSame(
      expected,
      order.filter(name => from.has(name)),
    )
  ) {
    changes.push({ path: [list], before: [...from.keys()], after: order });
  }
  return changes;
}

/** The input of `updateFlag` that saves a draft: only the fields that changed, for the version that the draft is over. */
export type FlagPatch = { readonly key: string; readonly expectedVersion: number } & {
  readonly [Name in FieldName]?: FlagFields[Name];
};

export function patchBetween(saved: SavedFlag, fields: FlagFields): FlagPatch {
  const changed = new Set(changesBetween(saved, fields).map(({ path }) => path[0]));
  const patch = fieldNames.filter(name => changed.has(name)).map(name => [name, fields[name]]);
  return { key: saved.key, expectedVersion: saved.version, ...Object.fromEntries(patch) };
}
