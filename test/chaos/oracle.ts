import type pg from 'pg';
import type { Attributes } from '../../src/core/attributes.js';
import { compileFlag, evaluate, flagNotFound } from '../../src/core/evaluate.js';
import type { FlagValues } from '../../src/core/flag.js';
import type { Json, JsonObject } from '../../src/core/json.js';
import { createSubject, type OverrideDecision } from '../../src/core/subject.js';
import { storedUserId } from '../../src/core/user-id.js';
import type { ViewerSpec } from './viewer.js';

export interface StoredFlag extends Partial<FlagValues> {
  readonly key: string;
  readonly enabled: boolean;
  readonly percentage: number;
  readonly conditions: JsonObject;
}

/** What is stored about a user. */
export interface StoredUser {
  readonly attributes: Attributes;
  readonly groups: readonly string[];
  readonly overrides: readonly (OverrideDecision & { readonly flagKey: string })[];
}

/** An answer as a viewer has it, `true ENABLED on true` and the like. */
export function answerText(answer: {
  readonly enabled: boolean;
  readonly reason: string;
  readonly variant: string | null;
  readonly value: Json;
}): string {
  const { enabled, reason, variant, value } = answer;
  return `${enabled} ${reason} ${variant} ${JSON.stringify(value)}`;
}

/** By flag key, what a viewer must have at that moment. */
export type ExpectedAnswers = (viewer: ViewerSpec, now: number) => Map<string, string>;

/** What core/evaluate makes of these flags and users. */
export function answersOf(
  flags: readonly StoredFlag[],
  userOf: (userId: string) => StoredUser | undefined,
): ExpectedAnswers {
  const compiled = new Map(flags.map(flag => [flag.key, compileFlag(flag)]));
  const keys = [...compiled.keys()].sort();
  return ({ userId, device, claims, keys: asked }, now) => {
    const user = userId === null ? undefined : userOf(userId);
    const subject = createSubject({
      userId,
      device,
      attributes: { ...user?.attributes, ...claims },
      groups: new Set(user?.groups),
      overrides: new Map(
        user?.overrides.map(({ flagKey, ...decision }): [string, OverrideDecision] => [flagKey, decision]),
      ),
    });
    return new Map(
      (asked ?? keys).map(key => {
        const flag = compiled.get(key);
        return [key, answerText(flag === undefined ? flagNotFound(key, false) : evaluate(flag, subject, now))];
      }),
    );
  };
}

/** What is stored, read past every node. */
export interface Stored {
  readonly head: number;
  readonly answers: ExpectedAnswers;
}

/** Reads the tables themselves, in one consistent read, as far as these viewers are concerned. */
export async function readStored(pool: pg.Pool, viewers: readonly ViewerSpec[]): Promise<Stored> {
  const ids = [...new Set(viewers.flatMap(({ userId }) => (userId === null ? [] : storedUserId(userId))))];
  const client = await pool.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const flags = await client.query<StoredFlag>(
      `SELECT key, enabled, percentage, conditions, type, variants, off_variant AS "offVariant", rules, bucket_by AS "bucketBy"
       FROM feature_flags`,
    );
    const users = await client.query<{ id: string; attributes: Attributes }>(
      'SELECT id, attributes FROM users WHERE id = ANY($1)',
      [ids],
    );
    const groups = await client.query<{ user_id: string; group_name: string }>(
      'SELECT user_id, group_name FROM user_feature_groups WHERE user_id = ANY($1)',
      [ids],
    );
    const overrides = await client.query<{
      user_id: string;
      flag_key: string;
      enabled: boolean;
      variant: string | null;
      expires_at: Date | null;
    }>('SELECT user_id, flag_key, enabled, variant, expires_at FROM feature_flag_overrides WHERE user_id = ANY($1)', [
      ids,
    ]);
    const head = await client.query<{ revision: string }>('SELECT revision FROM feature_log_head');
    await client.query('COMMIT');

    const attributes = new Map(users.rows.map(user => [user.id, user.attributes]));
    return {
      head: Number(head.rows[0]?.revision),
      answers: answersOf(flags.rows, userId => ({
        attributes: attributes.get(storedUserId(userId)) ?? {},
        groups: groups.rows.filter(row => row.user_id === storedUserId(userId)).map(row => row.group_name),
        overrides: overrides.rows
          .filter(row => row.user_id === storedUserId(userId))
          .map(({ flag_key, enabled, variant, expires_at }) => ({
            flagKey: flag_key,
            enabled,
            variant,
            expiresAt: expires_at?.getTime() ?? null,
          })),
      })),
    };
  } finally {
    // Also after an error in the transaction.
    client.release(true);
  }
}

/** What a viewer has wrong, one line a flag; empty: nothing. */
export function differences(has: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string[] {
  return [...new Set([...has.keys(), ...expected.keys()])]
    .filter(key => has.get(key) !== expected.get(key))
    .map(key => `${key}: has ${has.get(key) ?? 'nothing'}, expected ${expected.get(key) ?? 'nothing'}`);
}
