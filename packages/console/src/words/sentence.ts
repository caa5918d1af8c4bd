import { type Audience, audienceOf, type Clause } from './audience.js';
import { percent, plural } from './numbers.js';
import { type Part, plain, strong, whoPhrase } from './phrases.js';
import type { FlagShape } from './shapes.js';
import { attributeName } from './values.js';

export type { Part } from './phrases.js';

export interface SentenceOptions {
  /** How many users have the flag by an override, on and off. Default: not told. */
  readonly overrides?: { readonly on: number; readonly off: number };
  readonly locale?: string | undefined;
}

/** Clauses that a sentence tells at most; the others are counted. */
const most = { full: 6, short: 3 } as const;

/** Who gets a flag, in plain sentences that state the steps in their order. */
export function sentence(flag: FlagShape, options: SentenceOptions = {}): readonly Part[] {
  const audience = audienceOf(flag);
  const { on = 0, off = 0 } = options.overrides ?? {};
  const parts: Part[] = audience.enabled ? said(audience, options) : switchedOff(audience, on, options);
  if (on > 0 && audience.enabled) parts.push(plain(' On for '), strong(users(on, options)), plain(' by override.'));
  if (off > 0 && audience.enabled) parts.push(plain(' Off for '), strong(users(off, options)), plain(' by override.'));
  return merged(parts);
}

/** The same in a few words without a full stop, for lists. */
export function shortSentence(flag: FlagShape, options: SentenceOptions = {}): readonly Part[] {
  const audience = audienceOf(flag);
  const { on = 0 } = options.overrides ?? {};
  const exception = on === 0 ? [] : [plain(', except '), strong(users(on, options)), plain(' by override')];
  if (!audience.enabled) return merged([plain('Nobody'), ...(on === 0 ? [plain(', switched off')] : exception)]);
  if (audience.clauses.length === 0) return merged([plain('Nobody'), ...exception]);
  const added = on === 0 ? [] : [plain(', and '), strong(users(on, options)), plain(' by override')];
  return merged(capital([...shortRuns(audience, options), ...added]));
}

/** A sentence without emphasis. */
export function plainText(parts: readonly Part[]): string {
  return parts.map(({ text }) => text).join('');
}

const users = (number: number, { locale }: SentenceOptions) => plural(number, 'user', 'users', locale);

function switchedOff(audience: Audience, overridden: number, options: SentenceOptions): Part[] {
  const except =
    overridden === 0 ? [] : [plain(', except '), strong(users(overridden, options)), plain(' by override')];
  if (audience.clauses.length === 0) return [plain('Nobody, switched off'), ...except, plain('.')];
  return [plain('Nobody, switched off'), ...except, plain('. If switched on: '), ...uncapital(said(audience, options))];
}

function said(audience: Audience, options: SentenceOptions): Part[] {
  if (audience.clauses.length === 0) return [plain('Nobody.')];
  const { told, untold } = fitting(audience.clauses, most.full);
  const runs = runsOf(told).map((run, index) => {
    const state = run[0]?.on === true ? 'on' : 'off';
    const start = index === 0 ? (state === 'on' ? 'On' : 'Off') : ` Otherwise ${state}`;
    const clauses = run.map(clause => [plain(' for '), ...population(clause, audience, clause !== told[0], options)]);
    return [plain(start), ...joined(clauses, ','), plain('.')];
  });
  return [
    ...runs.flat(),
    ...(untold === 0
      ? []
      : [plain(' Otherwise '), strong(plural(untold, 'more step')), plain(untold === 1 ? ' decides.' : ' decide.')]),
  ];
}

function shortRuns(audience: Audience, options: SentenceOptions): Part[] {
  const { told, untold } = fitting(audience.clauses, most.short);
  const runs = runsOf(told).map((run, index) => {
    const isOff = run[0]?.on === false;
    const clauses = run.map(clause => shortPopulation(clause, audience, clause !== told[0], options));
    return [plain(`${index === 0 ? '' : '; otherwise '}${isOff ? 'not ' : ''}`), ...joined(clauses, ', ')];
  });
  return [
    ...runs.flat(),
    ...(untold === 0
      ? []
      : [plain('; otherwise '), strong(plural(untold, 'more step')), plain(untold === 1 ? ' decides' : ' decide')]),
  ];
}

function fitting(clauses: readonly Clause[], limit: number) {
  const told = clauses.length > limit ? clauses.slice(0, limit - 1) : clauses;
  return { told, untold: clauses.length - told.length };
}

/** Neighbours that turn the flag to the same state: their order makes no difference. */
function runsOf(clauses: readonly Clause[]): readonly (readonly Clause[])[] {
  const runs: Clause[][] = [];
  for (const clause of clauses) {
    const last = runs.at(-1);
    if (last !== undefined && last[0]?.on === clause.on) last.push(clause);
    else runs.push([clause]);
  }
  return runs;
}

/** `everyone in group staff`, `half of users in Germany`, `25 % of everyone else on plan pro`. */
function population(
  clause: Clause,
  { bucketBy }: Audience,
  isLater: boolean,
  options: SentenceOptions,
): readonly Part[] {
  const isRest = clause.rule === null && isLater;
  const who = clause.who === null ? [] : [plain(' '), ...whoPhrase(clause.who)];
  if (clause.percentage < 100) {
    const noun = isRest ? others(bucketBy) : clause.who === null ? all(bucketBy) : unit(bucketBy);
    return [...portion(clause.percentage, options), plain(` of ${noun}`), ...who];
  }
  const everyone = clause.needsUnit ? everyUnit(bucketBy, isRest) : isRest ? 'everyone else' : 'everyone';
  return [clause.who === null ? strong(everyone) : plain(everyone), ...who];
}

function shortPopulation(
  clause: Clause,
  audience: Audience,
  isLater: boolean,
  options: SentenceOptions,
): readonly Part[] {
  if (clause.who === null || clause.percentage < 100 || (clause.rule === null && isLater) || clause.needsUnit) {
    return population(clause, audience, isLater, options);
  }
  const [first, ...rest] = merged(whoPhrase(clause.who));
  const short = /^(?:on|in) ((?:plan|group) )$/.exec(first?.text ?? '');
  if (short !== null) return [plain(short[1] as string), ...rest];
  return [plain(first?.text.startsWith('except') ? 'everyone ' : 'users '), ...whoPhrase(clause.who)];
}

const portion = (percentage: number, { locale }: SentenceOptions): readonly Part[] =>
  percentage === 50 ? [strong('half')] : [strong(percent(percentage, locale))];

const isByUser = (bucketBy: string | null) => bucketBy === null || bucketBy === '$id';
const byAttribute = (bucketBy: string | null, noun: string) =>
  isByUser(bucketBy) || bucketBy === '$device' ? noun : `${noun} by ${attributeName(bucketBy as string)}`;

const all = (bucketBy: string | null) => (bucketBy === '$device' ? 'all devices' : byAttribute(bucketBy, 'everyone'));
const others = (bucketBy: string | null) =>
  bucketBy === '$device' ? 'all other devices' : byAttribute(bucketBy, 'everyone else');
const unit = (bucketBy: string | null) => (bucketBy === '$device' ? 'devices' : byAttribute(bucketBy, 'users'));

/** Those that have something to hash. */
function everyUnit(bucketBy: string | null, isRest: boolean): string {
  const noun = `every ${isRest ? 'other ' : ''}${bucketBy === '$device' ? 'device' : 'user'}`;
  return isByUser(bucketBy) || bucketBy === '$device' ? noun : `${noun} with ${attributeName(bucketBy as string)}`;
}

function joined(clauses: readonly (readonly Part[])[], comma: ',' | ', '): Part[] {
  return clauses.flatMap((clause, index) => {
    if (index === 0) return [...clause];
    const isLast = index === clauses.length - 1;
    const between = `${comma}${isLast ? (comma === ',' ? ' and' : 'and ') : ''}`;
    return [plain(between), ...clause];
  });
}

function capital(parts: readonly Part[]): Part[] {
  return firstLetter(parts, letter => letter.toUpperCase());
}

function uncapital(parts: readonly Part[]): Part[] {
  return firstLetter(parts, letter => letter.toLowerCase());
}

function firstLetter(parts: readonly Part[], change: (letter: string) => string): Part[] {
  const [first, ...rest] = parts.filter(({ text }) => text !== '');
  return first === undefined
    ? []
    : [{ ...first, text: `${change(first.text.charAt(0))}${first.text.slice(1)}` }, ...rest];
}

/** Neighbours of one weight as one part. */
function merged(parts: readonly Part[]): readonly Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.text === '') continue;
    if (last !== undefined && last.strong === part.strong)
      result[result.length - 1] = { ...last, text: last.text + part.text };
    else result.push(part);
  }
  return result;
}
