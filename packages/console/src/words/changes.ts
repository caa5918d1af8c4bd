import { conditionsText } from './conditions.js';
import { plural } from './numbers.js';
import { isObject, type Json } from './shapes.js';
import { moment } from './times.js';
import { valueText } from './values.js';

export interface DifferenceShape {
  readonly path: readonly string[];
  readonly before?: Json | undefined;
  readonly after?: Json | undefined;
}

export interface ChangeShape {
  readonly kind: string;
  readonly flagKey?: string | null;
  readonly group?: string | null;
  readonly userIds?: readonly string[];
  readonly userCount?: number;
  readonly reverts?: number | null;
  readonly differences: readonly DifferenceShape[];
}

/** What somebody did, completing "okta|t.ops …". `name` is to be shown as code; empty: there is none. */
export interface ChangeWords {
  readonly verb: string;
  readonly name: string;
}

/** What a change of the log did, in words. */
export function changeWords(change: ChangeShape): ChangeWords {
  if (change.kind === 'FLAG_UPDATED' && typeof change.reverts === 'number') {
    // A revert tells the revision that it goes back to, an undo the first one that it takes back: the words are true of both.
    return said(`took back changes (revision ${change.reverts})`);
  }
  return (kinds[change.kind] ?? (({ kind }) => said(kind.toLowerCase().replaceAll('_', ' '))))(change);
}

const said = (verb: string, name: string | null | undefined = ''): ChangeWords => ({ verb, name: name ?? '' });

const whoIn = ({ userIds = [], userCount = userIds.length }: ChangeShape): string =>
  userCount === 1 && userIds[0] !== undefined ? userIds[0] : plural(userCount, 'user');

const kinds: { readonly [kind: string]: (change: ChangeShape) => ChangeWords } = {
  FLAG_CREATED: () => said('created the flag'),
  FLAG_UPDATED: ({ differences }) => updateWords(differences),
  FLAG_DELETED: () => said('deleted the flag'),
  OVERRIDE_SET: change => {
    const state = afterOf(change, 'enabled');
    const turned =
      state === true ? 'turned it on for' : state === false ? 'turned it off for' : 'changed the override of';
    return said(turned, whoIn(change));
  },
  OVERRIDE_REMOVED: change => said('removed the override of', whoIn(change)),
  MEMBERS_ADDED: change => said(`added ${whoIn(change)} to group`, change.group),
  MEMBERS_REMOVED: change => said(`removed ${whoIn(change)} from group`, change.group),
  USER_UPDATED: change => said('changed the attributes of', whoIn(change)),
  USER_DELETED: change => said('deleted the user', whoIn(change)),
  API_KEY_CREATED: change => {
    const name = afterOf(change, 'name');
    return typeof name === 'string' ? said('made the API key', name) : said('made an API key');
  },
  API_KEY_REVOKED: () => said('revoked an API key'),
  RESET: () => said('replaced the database'),
};

const afterOf = ({ differences }: ChangeShape, field: string) =>
  differences.find(({ path }) => path.length === 1 && path[0] === field)?.after;

/** Words for the fields that changed; the first field that has some, and how many others there are. */
function updateWords(differences: readonly DifferenceShape[]): ChangeWords {
  const subjects = new Map<string, DifferenceShape>();
  for (const one of differences) {
    const subject = subjectOf(one.path);
    if (!subjects.has(subject)) subjects.set(subject, one);
  }
  const [first] = subjects.values();
  if (first === undefined) return said('saved it again');
  const words = differenceWords(first);
  const more = subjects.size - 1;
  return more === 0 ? words : { ...words, verb: `changed ${plural(subjects.size, 'field')}: ${words.verb}` };
}

/** A rule is one subject, and all weights are one. */
function subjectOf(path: readonly string[]): string {
  if (path[0] === 'variants' && path.at(-1) === 'weight') return 'weights';
  return path.slice(0, path[0] === 'rules' || path[0] === 'variants' ? 2 : 1).join('/');
}

function differenceWords({ path, before, after }: DifferenceShape): ChangeWords {
  const [field = '', name, member] = path;
  if ((field === 'rules' || field === 'variants') && name === undefined) return said(`moved ${field}`);
  if (field === 'variants' && member === 'weight') return said('changed variant weights');
  if (field === 'rules' || field === 'variants') {
    const verb =
      member !== undefined ? 'changed' : isMissing(before) ? 'added' : isMissing(after) ? 'removed' : 'changed';
    return said(`${verb} ${field.slice(0, -1)}`, name);
  }
  if (field === 'enabled') return said(after === true ? 'switched it on' : 'switched it off');
  if (field === 'percentage' && typeof before === 'number' && typeof after === 'number') {
    return said(after > before ? 'raised the rollout' : 'lowered the rollout');
  }
  const label = fieldNames[field] ?? field;
  if (isMissing(after)) return said(`removed the ${label}`);
  return said(`${isMissing(before) ? 'set' : 'changed'} the ${label}`);
}

const isMissing = (value: Json | undefined) => value === undefined || value === null;

/** The fields of a flag as the console names them. */
export const fieldNames: { readonly [field: string]: string } = {
  enabled: 'switch',
  percentage: 'rollout',
  offVariant: 'off variant',
  bucketBy: 'bucketing',
  expectedUntil: 'expected end',
  conditions: 'conditions of everyone else',
};

/** One side of a difference as text. Conditions are told in words. */
export function differenceText(path: readonly string[], value: Json | undefined): string {
  if (isMissing(value)) return 'nothing';
  const isConditions = path.at(-1) === 'when' || (path.length === 1 && path[0] === 'conditions');
  if (isConditions && isObject(value)) return conditionsText(value) || 'everybody';
  if (path[0] === 'rules' && path.length === 2 && isObject(value)) return ruleText(value);
  const instant = instantAt(path, value);
  return instant === null ? valueText(value) : moment(instant);
}

/** Fields with an instant. Others may hold a text that only looks like one. */
const instants: readonly string[] = ['expectedUntil', 'expiresAt'];

/** The instant that a side of a difference is; null where it is something else. */
export function instantAt(path: readonly string[], value: Json | undefined): string | null {
  const isInstant = path.length === 1 && instants.includes(path[0] ?? '') && typeof value === 'string';
  return isInstant && !Number.isNaN(Date.parse(value)) ? value : null;
}

function ruleText(rule: { readonly [name: string]: Json }): string {
  const share =
    typeof rule['percentage'] === 'number' && rule['percentage'] < 100 ? ` for ${rule['percentage']} %` : '';
  return `${rule['on'] === false ? 'off' : 'on'}${share}: ${conditionsText(rule['when'] ?? {}) || 'everybody'}`;
}
