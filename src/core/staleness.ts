import type { CompiledFlag } from './evaluate.js';
import { intervalLengths, type MapUsage } from './usage.js';

export const stalenessKinds = ['FULLY_ON', 'FULLY_OFF', 'UNUSED', 'EXPIRED'] as const;

export type StalenessKind = (typeof stalenessKinds)[number];

/** A reason to remove a flag. */
export interface Staleness {
  readonly kind: StalenessKind;
  readonly since: Date;
  /** False: the flag is not named, but programs may read it together with all others. */
  readonly isCertain: boolean;
  /** The reason in plain English, with what to do. */
  readonly text: string;
}

/** The answer that everybody gets. */
export interface ConstantAnswer {
  readonly enabled: boolean;
  /** The variant if the flag is on. Null: of no matter, because it is off or has no variants. */
  readonly variant: string | null;
}

/** What is known about a flag. Times are milliseconds since the epoch. */
export interface StalenessFacts {
  readonly now: number;
  /** Milliseconds after which a flag that stays the same, or that nobody asks for, is stale. */
  readonly staleAfter: number;
  readonly createdAt: number;
  readonly expectedUntil: number | null;
  /** The answer that everybody gets, and since when. Null: answers differ, or an override makes one differ. */
  readonly constant: { readonly enabled: boolean; readonly since: number } | null;
  /** When the flag was last asked for by name. Null: never. */
  readonly lastAskedAt: number | null;
  readonly maps: MapUsage;
}

/** The answer that a flag gives everybody without an override. Null: answers may differ. */
export function constantAnswer({ definition, predicate, faults, valued }: CompiledFlag): ConstantAnswer | null {
  if (!definition.enabled) return { enabled: false, variant: null };
  if (definition.percentage < 100 || predicate !== null || faults.length > 0) return null;
  if (valued === null) return { enabled: true, variant: null };
  const { values } = valued;
  const [only, another] = values?.shares ?? [];
  if (values === null) return null;
  if ((definition.type ?? 'BOOLEAN') === 'BOOLEAN') {
    return values.rules.every(({ on }) => on) ? { enabled: true, variant: null } : null;
  }
  if (only === undefined || another !== undefined) return null;
  const isSame = values.rules.every(({ on, shares }) => on && shares.every(({ key }) => key === only.key));
  return isSame ? { enabled: true, variant: only.key } : null;
}

/** The reasons to remove a flag, in the order of {@link stalenessKinds}. */
export function stalenessOf(facts: StalenessFacts): Staleness[] {
  const { now, staleAfter, expectedUntil, constant } = facts;
  const found: Staleness[] = [];
  if (constant !== null && now - constant.since >= staleAfter) {
    const kind = constant.enabled ? 'FULLY_ON' : 'FULLY_OFF';
    const text = `${constantTexts[kind](said(constant.since, now))}`;
    found.push({ kind, since: new Date(constant.since), isCertain: true, text });
  }
  const unused = unusedOf(facts);
  if (unused !== null) found.push(unused);
  if (expectedUntil !== null && expectedUntil < now) {
    const text = `The flag was expected to be needed until ${said(expectedUntil, now)}. Ask its owner whether it is still needed; then remove it, or set a later time.`;
    found.push({ kind: 'EXPIRED', since: new Date(expectedUntil), isCertain: true, text });
  }
  return found;
}

const constantTexts = {
  FULLY_ON: (since: string) =>
    `The flag has been on for everybody, with one value, since ${since}. Remove the question from the code and keep the code for users who have the feature; then delete the flag.`,
  FULLY_OFF: (since: string) =>
    `The flag has been off for everybody since ${since}. Remove the question from the code together with the code for users who have the feature; then delete the flag.`,
} as const;

function unusedOf({ now, staleAfter, createdAt, lastAskedAt, maps }: StalenessFacts): Staleness | null {
  const { countedSince } = maps;
  if (countedSince === null) return null;
  const since = Math.max(lastAskedAt ?? 0, createdAt, countedSince);
  if (now - since < staleAfter) return null;
  const wasAsked = since === lastAskedAt;
  const why = wasAsked
    ? ''
    : since === createdAt
      ? ', when it was created'
      : ', the earliest time of which counts are kept';
  const begin = `Nobody has asked for the flag by its key since ${said(since, now)}${why}.`;
  const others = readMeanwhile(since, maps);
  const text =
    others.length === 0
      ? `${begin} No program that counts has read it together with all other flags in this time. If no code names it any more, it is safe to delete.`
      : `${begin} But ${others.join(', and ')}: a program may read this flag among them. Do not delete it before you have searched all code for its key.`;
  return { kind: 'UNUSED', since: new Date(since), isCertain: others.length === 0, text };
}

/** How flags were read without their keys since a time. */
function readMeanwhile(since: number, { lastMap, lastUncounted }: MapUsage): string[] {
  const isSince = (hour: number | null): hour is number => hour !== null && hour + intervalLengths.HOUR > since;
  return [
    ...(isSince(lastMap) ? [`answers with all flags were given, the last on ${day(lastMap)}`] : []),
    ...(isSince(lastUncounted)
      ? [
          `anonymous callers, readers or streams, which are not counted by flag, were answered, the last on ${day(lastUncounted)}`,
        ]
      : []),
  ];
}

/** A day, and how long ago it was, such as `2026-03-01 (45 days ago)`. */
function said(time: number, now: number): string {
  const days = Math.floor((now - time) / intervalLengths.DAY);
  return `${day(time)} (${days === 0 ? 'less than a day' : days === 1 ? '1 day' : `${days} days`} ago)`;
}

const day = (time: number) => new Date(time).toISOString().slice(0, 10);
