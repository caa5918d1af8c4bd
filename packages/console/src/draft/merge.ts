import { isSame, type Json } from '../words/shapes.js';
import {
  asJson,
  type FlagFields,
  fieldNames,
  isListName,
  isSameItem,
  itemsOf,
  type ListName,
  memberOf,
  membersOf,
  type Path,
  withItems,
} from './fields.js';

/** Something that both changed, each in another way. The draft keeps mine. */
export interface Conflict {
  readonly path: Path;
  /** Undefined: I removed it. */
  readonly mine: Json | undefined;
  /** Undefined: they removed it. */
  readonly theirs: Json | undefined;
}

export interface Merged {
  readonly fields: FlagFields;
  readonly conflicts: readonly Conflict[];
}

/** What I changed over what they changed, both since `base`. Nothing of mine is lost. */
export function merge(base: FlagFields, mine: FlagFields, theirs: FlagFields): Merged {
  const conflicts: Conflict[] = [];
  let fields = mine;
  for (const name of fieldNames) {
    if (isListName(name)) fields = mergeList(name, base, fields, theirs, conflicts);
    else fields = { ...fields, [name]: mergeValue([name], base[name], mine[name], theirs[name], conflicts) };
  }
  return { fields, conflicts };
}

type Value = Json | undefined;

function mergeValue(path: Path, base: Value, mine: Value, theirs: Value, conflicts: Conflict[]): Value {
  if (isSame(mine, base)) return theirs;
  if (!isSame(theirs, base) && !isSame(theirs, mine)) conflicts.push({ path, mine, theirs });
  return mine;
}

function mergeList(
  list: ListName,
  base: FlagFields,
  mine: FlagFields,
  theirs: FlagFields,
  conflicts: Conflict[],
): FlagFields {
  const [was, my, their] = [itemsOf(base, list), itemsOf(mine, list), itemsOf(theirs, list)];
  const kept = new Map<string, unknown>();
  for (const name of new Set([...my.keys(), ...their.keys()])) {
    const [before, one, other] = [was.get(name), my.get(name), their.get(name)];
    const path = [list, name];
    if (one !== undefined && other !== undefined) {
      const members = membersOf[list].map(member => [
        member,
        mergeValue(
          [...path, member],
          memberOf(before, member),
          memberOf(one, member),
          memberOf(other, member),
          conflicts,
        ),
      ]);
      kept.set(name, { ...one, ...Object.fromEntries(members) });
      continue;
    }
    const [present, isMine] = one === undefined ? [other, false] : [one, true];
    const isUntouched = before !== undefined && isSameItem(list, present, before);
    if (isUntouched) continue;
    if (before !== undefined) conflicts.push({ path, mine: asJson(one), theirs: asJson(other) });
    if (isMine || before === undefined) kept.set(name, present);
  }
  const names = mergeOrder([list], [...was.keys()], [...my.keys()], [...their.keys()], conflicts).filter(name =>
    kept.has(name),
  );
  return withItems(mine, list, names.map(name => kept.get(name)) as never);
}

/** The names of both lists in one order. It conflicts if both moved what they have in common. */
function mergeOrder(
  path: Path,
  base: readonly string[],
  mine: readonly string[],
  theirs: readonly string[],
  conflicts: Conflict[],
) {
  const common = base.filter(name => mine.includes(name) && theirs.includes(name));
  const [my, their] = [mine, theirs].map(list => list.filter(name => common.includes(name))) as [string[], string[]];
  if (isSame(my, common)) return woven(theirs, mine);
  if (!isSame(their, common) && !isSame(their, my)) conflicts.push({ path, mine, theirs });
  return woven(mine, theirs);
}

/** The first list, with what only the second has behind what stands before it there. */
export function woven(first: readonly string[], second: readonly string[]): readonly string[] {
  const result = [...first];
  for (const [index, name] of second.entries()) {
    if (!result.includes(name))
      result.splice(index === 0 ? 0 : result.indexOf(second[index - 1] as string) + 1, 0, name);
  }
  return result;
}
