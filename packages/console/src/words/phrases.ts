import { type Atom, type AttributeTest, countAtoms, isAtom, type Who } from './audience.js';
import type { Json } from './shapes.js';
import { attributeName, conditionsCount, countryName, listed, valuesOf, valueText } from './values.js';

/** A piece of a sentence; the strong ones are what readers look for. */
export interface Part {
  readonly text: string;
  readonly strong?: true;
}

export const plain = (text: string): Part => ({ text });
export const strong = (text: string): Part => ({ text, strong: true });

/** Atoms that one phrase tells at most. */
const mostAtoms = 5;

/** Words behind a noun that narrow it: `in group staff`, `on plan pro or team`. */
interface Phrase {
  /** `with` phrases that follow one another share the word. */
  readonly lead: 'in' | 'on' | 'with' | 'from' | 'that';
  readonly parts: readonly Part[];
}

/** What follows a noun to say whom conditions match, and how many of the conditions it does not tell. */
export function whoPhrase(who: Who): readonly Part[] {
  if (isAtom(who)) return conjunction([who], 0);
  const told = who.kind === 'all' ? allPhrase(who.parts) : anyPhrase(who.parts);
  return told ?? elided(countAtoms(who), false).parts;
}

function allPhrase(parts: readonly Who[]): readonly Part[] {
  const atoms = parts.filter(isAtom).slice(0, mostAtoms);
  const rest = parts.filter(part => !atoms.includes(part as Atom));
  const [only] = rest;
  if (rest.length === 1 && only !== undefined && !isAtom(only) && atoms.every(atom => !isNegated(atom))) {
    const choice =
      atoms.length + countAtoms(only) <= mostAtoms ? anyPhrase(only.kind === 'any' ? only.parts : []) : null;
    if (choice !== null) return [...conjunction(atoms, 0), plain(' and '), ...choice];
  }
  return conjunction(
    atoms,
    rest.reduce((sum, part) => sum + countAtoms(part), 0),
  );
}

/** Null: too deep for a sentence. */
function anyPhrase(parts: readonly Who[]): readonly Part[] | null {
  if (parts.length === 0) return null;
  const atoms = parts.reduce((sum, part) => sum + countAtoms(part), 0);
  if (atoms > mostAtoms) return null;
  const isFlat = parts.every(isAtom);
  const told = parts.map(part => {
    if (isAtom(part)) return isNegated(part) ? [plain('not '), ...positive(part).parts] : positive(part).parts;
    const atoms = part.parts.filter(isAtom);
    return part.kind === 'all' && atoms.length === part.parts.length && !atoms.some(isNegated)
      ? conjunction(atoms, 0)
      : null;
  });
  if (told.includes(null)) return null;
  const separator = isFlat ? ' or ' : ', or ';
  const joined = (told as (readonly Part[])[]).flatMap((part, index) =>
    index === 0 ? part : [plain(separator), ...part],
  );
  return isFlat ? joined : [plain('either '), ...joined];
}

/** Phrases that all hold, those that must not hold last. */
function conjunction(atoms: readonly Atom[], untold: number): readonly Part[] {
  const order = ['in', 'on', 'with', 'from', 'that'];
  const holding = atoms.filter(atom => !isNegated(atom)).map(positive);
  if (untold > 0) holding.push(elided(untold, atoms.length > 0));
  holding.sort((a, b) => order.indexOf(a.lead) - order.indexOf(b.lead));
  const parts = holding.flatMap(({ lead, parts }, index) => {
    const before = holding[index - 1]?.lead;
    if (before === undefined) return parts;
    return [plain(lead === before ? ' and ' : ' '), ...parts];
  });
  const negated = atoms.filter(isNegated);
  if (negated.length === 0) return parts;
  return [...parts, plain(parts.length > 0 ? ' except ' : 'except '), ...exceptions(negated)];
}

/** `plan free`, `group staff`; those of several tests are said in full. */
function exceptions(negated: readonly Atom[]): readonly Part[] {
  const [only] = negated;
  const parts = negated.flatMap((atom, index) => [...(index === 0 ? [] : [plain(' or ')]), ...positive(atom).parts]);
  const [first, ...rest] = parts;
  if (negated.length === 1 && only !== undefined && first !== undefined) {
    const short = /^(?:on|in) (plan|group|groups) $/.exec(first.text);
    if (short !== null) return [plain(`${short[1]} `), ...rest];
  }
  return [plain('those '), ...parts];
}

const isNegated = (atom: Atom) => atom.kind !== 'unreadable' && atom.isNegated;

function elided(number: number, more: boolean): Phrase {
  return {
    lead: 'that',
    parts: [plain('that '), strong(conditionsCount(number, more)), plain(number === 1 ? ' matches' : ' match')],
  };
}

function positive(atom: Atom): Phrase {
  if (atom.kind === 'unreadable') return { lead: 'that', parts: [plain('that conditions match which cannot be read')] };
  if (atom.kind === 'groups')
    return { lead: 'in', parts: [plain('in group '), ...choices(atom.groups.map(name => valueText(name)))] };
  const phrase = (phrases[atom.operator] ?? unknownPhrase)(atom);
  return atom.ignoreCase ? { ...phrase, parts: [...phrase.parts, plain(' in upper or lower case')] } : phrase;
}

/** Values of which one is enough, each strong. */
function choices(items: readonly string[]): readonly Part[] {
  const words = listed(items, 'or');
  return [strong(words)];
}

const named = (lead: Phrase['lead'], before: string, after: readonly Part[], end = ''): Phrase => ({
  lead,
  parts: [plain(before), ...after, ...(end === '' ? [] : [plain(end)])],
});

const withWords =
  (words: string) =>
  ({ name, operand }: AttributeTest) =>
    named('with', `with ${attributeName(name)} ${words === '' ? '' : `${words} `}`, choices(texts(operand)));

const texts = (operand: Json) => valuesOf(operand).map(value => valueText(value));

/** Names of things that grow, for which `from 420 on` is plain. */
const growing = /(^|[._])(build|version|app_version|os)$/i;

const from = ({ name, operand }: AttributeTest): Phrase =>
  named('from', `from ${attributeName(name)} `, choices(texts(operand)), ' on');

/** Numbers and times have different words. */
const bound = (number: string, time: string) => (test: AttributeTest) =>
  withWords(typeof test.operand === 'number' ? number : time)(test);

const phrases: { readonly [operator: string]: (test: AttributeTest) => Phrase } = {
  in: test => {
    const { name, operand, ignoreCase } = test;
    const countries = valuesOf(operand).map(value => (ignoreCase ? null : countryName(name, value)));
    if (countries.every(country => country !== null)) return named('in', 'in ', choices(countries as string[]));
    return name === 'plan' ? named('on', 'on plan ', choices(texts(operand))) : withWords('')(test);
  },
  lt: bound('below', 'before'),
  lte: bound('of at most', 'at or before'),
  gt: bound('above', 'after'),
  gte: test => (growing.test(test.name) ? from(test) : bound('of at least', 'at or after')(test)),
  contains: withWords('that contains'),
  starts_with: withWords('that starts with'),
  ends_with: withWords('that ends with'),
  matches: withWords('that matches'),
  exists: ({ name }) => named('with', 'with any ', [strong(attributeName(name))]),
  semver_eq: withWords('version'),
  semver_lt: withWords('before version'),
  semver_lte: withWords('up to version'),
  semver_gt: withWords('after version'),
  semver_gte: test => (growing.test(test.name) ? from(test) : withWords('from version')(test)),
  in_cidr: withWords('in'),
};

const unknownPhrase = ({ name, operator }: AttributeTest): Phrase =>
  named('with', `with ${attributeName(name)} by the operator `, [strong(operator)]);
