import { isPlainObject, type JsonObject } from './json.js';
import { Latencies } from './latencies.js';

/** How far the changes of one batch have come to the viewers that are connected. */
export interface Propagation {
  readonly revision: number;
  /** Viewers whose answers the batch has changed. */
  readonly affected: number;
  /** Those of them whose transport has taken the update. */
  readonly handed: number;
  /** Viewers that the batch touches and that do not have what it changes, as far as it changes anything for them. */
  readonly behind: number;
  /** Nodes that are known. */
  readonly nodes: number;
  /** Those of them that have applied the revision. */
  readonly nodesApplied: number;
  /** Milliseconds from a node applying the batch to a transport taking the update, for half of the viewers. Null: for none yet. */
  readonly p50: number | null;
  /** The same for 99 of 100 viewers. */
  readonly p99: number | null;
  /** Whether nothing is left to come. */
  readonly isDone: boolean;
}

/** The viewers that have a flag's answer, by this answer. */
export interface FlagAudience {
  readonly key: string;
  readonly viewers: number;
  /** Viewers for whom the flag is on. */
  readonly on: number;
  /** Viewers by key of the variant. Answers without a variant are left out. */
  readonly variants: Readonly<Record<string, number>>;
  /** Viewers whose answer may be out of date. */
  readonly behind: number;
}

/** What one node has counted for a batch. */
export interface ReceiptCount extends Pick<Propagation, 'affected' | 'handed' | 'behind'> {
  readonly latencies: Latencies['counts'];
}

/** What one node has counted for a flag. */
export type AudienceCount = Omit<FlagAudience, 'key'>;

/** What the clients of a node ask. */
export interface NodeAsks {
  readonly revisions: readonly number[];
  /** Keys of flags whose audience is asked for. Null: of all. */
  readonly audience: readonly string[] | null;
}

/** What a node says to everything that is asked. */
export interface NodeAnswer {
  /** The revision that it has applied. */
  readonly revision: number;
  /** By revision; those that it has not applied are absent. */
  readonly receipts: ReadonlyMap<number, ReceiptCount>;
  /** By key; flags without a viewer are absent. */
  readonly audience: ReadonlyMap<string, AudienceCount>;
}

export const nothingCounted: ReceiptCount = Object.freeze({ affected: 0, handed: 0, behind: 0, latencies: [] });
export const nobody: AudienceCount = Object.freeze({ viewers: 0, on: 0, variants: {}, behind: 0 });
export const nothingAsked: NodeAsks = Object.freeze({ revisions: [], audience: [] });

export function isAnythingAsked({ revisions, audience }: NodeAsks): boolean {
  return revisions.length > 0 || audience === null || audience.length > 0;
}

/** What several ask. */
export function allAsks(asks: readonly NodeAsks[]): NodeAsks {
  const isEverything = asks.some(({ audience }) => audience === null);
  return {
    revisions: [...new Set(asks.flatMap(({ revisions }) => revisions))],
    audience: isEverything ? null : [...new Set(asks.flatMap(({ audience }) => audience ?? []))],
  };
}

/** Whether everything that is asked is a part of what was asked. */
export function isCovered(asked: NodeAsks, by: NodeAsks): boolean {
  const [revisions, keys] = [new Set(by.revisions), by.audience === null ? null : new Set(by.audience)];
  if (!asked.revisions.every(revision => revisions.has(revision))) return false;
  return keys === null || (asked.audience?.every(key => keys.has(key)) ?? false);
}

export function asksToJson(asks: NodeAsks): JsonObject {
  return { revisions: [...asks.revisions], audience: asks.audience === null ? null : [...asks.audience] };
}

/** Reads what another node asks. What is not understood, of a node of another version, counts as not asked. */
export function asksFromJson(json: JsonObject | null): NodeAsks {
  const { revisions, audience } = json ?? {};
  return {
    revisions: listOf(revisions).filter(revision => typeof revision === 'number'),
    audience: json !== null && audience === null ? null : listOf(audience).filter(key => typeof key === 'string'),
  };
}

export function answerToJson({ revision, receipts, audience }: NodeAnswer): JsonObject {
  const counts = [...receipts].map(([of, { latencies, ...numbers }]) => [of, { ...numbers, latencies }] as const);
  return JSON.parse(
    JSON.stringify({ revision, receipts: Object.fromEntries(counts), audience: Object.fromEntries(audience) }),
  ) as JsonObject;
}

/** Reads what another node says. Null: nothing that is understood. */
export function answerFromJson(json: JsonObject | null): NodeAnswer | null {
  if (json === null || typeof json['revision'] !== 'number') return null;
  return {
    revision: json['revision'],
    receipts: new Map(
      entriesOf(json['receipts']).map(([revision, count]) => [
        Number(revision),
        {
          affected: numberOf(count['affected']),
          handed: numberOf(count['handed']),
          behind: numberOf(count['behind']),
          latencies: listOf(count['latencies']).map(pair => [numberOf(listOf(pair)[0]), numberOf(listOf(pair)[1])]),
        },
      ]),
    ),
    audience: new Map(
      entriesOf(json['audience']).map(([key, count]) => [
        key,
        {
          viewers: numberOf(count['viewers']),
          on: numberOf(count['on']),
          behind: numberOf(count['behind']),
          variants: Object.fromEntries(
            Object.entries(objectOf(count['variants'])).map(([variant, viewers]) => [variant, numberOf(viewers)]),
          ),
        },
      ]),
    ),
  };
}

/** @param counts of all nodes that are known. Undefined: the node has not applied the revision, or has not heard of the question. */
export function sumOfReceipts(counts: readonly (ReceiptCount | undefined)[]) {
  const latencies = new Latencies();
  const sum = { affected: 0, handed: 0, behind: 0 };
  for (const count of counts) {
    if (count === undefined) continue;
    sum.affected += count.affected;
    sum.handed += count.handed;
    sum.behind += count.behind;
    latencies.addAll(count.latencies);
  }
  return { ...sum, p50: latencies.quantile(0.5), p99: latencies.quantile(0.99) };
}

export function sumOfAudiences(key: string, counts: readonly (AudienceCount | undefined)[]): FlagAudience {
  const sum = { key, viewers: 0, on: 0, behind: 0 };
  const variants = new Map<string, number>();
  for (const count of counts) {
    if (count === undefined) continue;
    sum.viewers += count.viewers;
    sum.on += count.on;
    sum.behind += count.behind;
    for (const [variant, viewers] of Object.entries(count.variants)) {
      variants.set(variant, viewers + (variants.get(variant) ?? 0));
    }
  }
  const sorted = [...variants].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...sum, variants: Object.fromEntries(sorted) };
}

const objectOf = (value: unknown): Record<string, unknown> =>
  isPlainObject(value) ? (value as Record<string, unknown>) : {};
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const numberOf = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);
const entriesOf = (value: unknown): [string, Record<string, unknown>][] =>
  Object.entries(objectOf(value)).map(([key, entry]) => [key, objectOf(entry)]);
