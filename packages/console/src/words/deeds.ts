/** An entry of the change log, as far as its sentence needs it. */
export interface ToldChange {
  readonly kind: string;
  readonly flagKey: string | null;
  readonly group: string | null;
  readonly userIds: readonly string[];
  readonly userCount: number;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly reverts: number | null;
  readonly differences: readonly {
    readonly path: readonly string[];
    readonly before: unknown;
    readonly after: unknown;
  }[];
}

/** Something that a sentence names, and that may have a page of its own. */
export interface Thing {
  readonly kind: 'flag' | 'group' | 'user' | 'key' | 'rule';
  readonly name: string;
}

/** A sentence without its subject, such as `raised the rollout of new_checkout`. */
export type Deed = readonly (string | Thing)[];

type Update = { readonly text: readonly (string | Thing)[]; readonly link: string };

const flagFields: Readonly<Record<string, string>> = {
  bucketBy: 'what the rollout goes by',
  conditions: 'the conditions',
  description: 'the description',
  expectedUntil: 'how long it is needed',
  name: 'the name',
  offVariant: 'the value when off',
  owner: 'the owner',
  percentage: 'the rollout',
  rules: 'the rules',
  tags: 'the tags',
  variants: 'the variants',
};

/**
 * What a change did, in words.
 * @param isWithin whether the place where it is told is about the flag, so that the flag is not named again.
 */
export function deedOf(change: ToldChange, isWithin = false): Deed {
  const flag = (link: string): Deed =>
    isWithin || change.flagKey === null ? [] : [...(link === '' ? [] : [link]), { kind: 'flag', name: change.flagKey }];
  switch (change.kind) {
    case 'FLAG_CREATED':
      return change.reverts === null
        ? ['created', ...named(flag(''), 'the flag')]
        : ['brought back', ...named(flag(''), 'the flag')];
    case 'FLAG_DELETED':
      return ['deleted', ...named(flag(''), 'the flag')];
    case 'FLAG_UPDATED': {
      const { text, link } = updateOf(change);
      return [...text, ...flag(link)];
    }
    case 'OVERRIDE_SET': {
      const state = change.after?.['enabled'] === true ? 'on' : 'off';
      return isWithin
        ? [`turned it ${state} for`, ...usersOf(change)]
        : [`turned ${state}`, ...flag(''), 'for', ...usersOf(change)];
    }
    case 'OVERRIDE_REMOVED':
      return ['removed the override of', ...usersOf(change), ...flag('of')];
    case 'MEMBERS_ADDED':
      return ['added', ...usersOf(change), 'to', groupOf(change)];
    case 'MEMBERS_REMOVED':
      return ['removed', ...usersOf(change), 'from', groupOf(change)];
    case 'USER_UPDATED':
      return ['changed attributes of', ...usersOf(change)];
    case 'USER_DELETED':
      return ['deleted', ...usersOf(change)];
    case 'API_KEY_CREATED':
      return ['made the key', { kind: 'key', name: String(change.after?.['name'] ?? '') }];
    case 'API_KEY_REVOKED':
      return ['revoked the key', { kind: 'key', name: String(change.before?.['name'] ?? '') }];
    case 'RESET':
      return ['emptied a table'];
    default:
      return ['made a change'];
  }
}

/** A deed as plain text, for titles and screen readers. */
export function deedText(deed: Deed): string {
  return deed.map(part => (typeof part === 'string' ? part : part.name)).join(' ');
}

const named = (deed: Deed, otherwise: string): Deed => (deed.length === 0 ? [otherwise] : deed);

function usersOf({ userIds, userCount }: ToldChange): Deed {
  const [only] = userIds;
  if (userCount === 1 && only !== undefined) return [{ kind: 'user', name: only }];
  return [`${userCount.toLocaleString('en')} users`];
}

const groupOf = ({ group }: ToldChange): Thing => ({ kind: 'group', name: group ?? '' });

function updateOf({ differences, reverts }: ToldChange): Update {
  if (reverts !== null) return { text: [`went back to revision ${reverts.toLocaleString('en')}`], link: 'of' };
  const fields = [...new Set(differences.map(({ path }) => path[0] ?? ''))];
  const [field = ''] = fields;
  const [first] = differences;
  if (fields.length > 1 || first === undefined) {
    const named =
      fields.length === 2 ? fields.map(name => flagFields[name] ?? name).join(' and ') : `${fields.length} fields`;
    return { text: [`changed ${fields.includes('enabled') ? `${fields.length} fields` : named}`], link: 'of' };
  }
  if (field === 'enabled') return { text: [first.after === true ? 'turned on' : 'turned off'], link: '' };
  if (field === 'percentage' && typeof first.before === 'number' && typeof first.after === 'number') {
    return { text: [first.after > first.before ? 'raised the rollout' : 'lowered the rollout'], link: 'of' };
  }
  if (field === 'rules') return ruleUpdate(differences);
  if (field === 'variants' && differences.every(({ path }) => path[2] === 'weight'))
    return { text: ['changed the weights'], link: 'of' };
  return { text: [`changed ${flagFields[field] ?? field}`], link: 'of' };
}

function ruleUpdate(differences: ToldChange['differences']): Update {
  const ids = [...new Set(differences.flatMap(({ path }) => (path[1] === undefined ? [] : [path[1]])))];
  const [id] = ids;
  if (id === undefined) return { text: ['moved rules'], link: 'of' };
  if (ids.length > 1) return { text: ['changed the rules'], link: 'of' };
  const whole = differences.find(({ path }) => path.length === 2);
  const rule: Thing = { kind: 'rule', name: id };
  if (whole === undefined || (whole.before !== null && whole.after !== null))
    return { text: ['changed rule', rule], link: 'of' };
  return whole.before === null
    ? { text: ['added rule', rule], link: 'to' }
    : { text: ['removed rule', rule], link: 'from' };
}
