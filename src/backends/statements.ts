import {
  CrossedError,
  type FeatureError,
  FlagExistsError,
  FlagNotFoundError,
  VersionConflictError,
} from '../core/errors.js';
import type { NewFlag } from '../core/inputs.js';
import type { JsonObject } from '../core/json.js';
import { externalUserId, storedUserId } from '../core/user-id.js';
import { Prisma } from '../generated/prisma/client.js';
import { flagFromLog, type Guard, type NewOverride, type Override, type Step } from './backend.js';
import {
  ensureUsers,
  flagFields,
  flagRecord,
  jsonb,
  type StoredUsers,
  storedOrNull,
  storedUsers,
  uuids,
} from './sql.js';

// The statements of writes. Each takes a list, so that many writes of one kind are one statement.

/** Inserts those flags whose keys are free. @param actor the id that the creator is known by. */
export function insertFlags(flags: readonly NewFlag[], actor: string | null): Prisma.Sql {
  return Prisma.sql`
    INSERT INTO feature_flags (${flagFields()}, created_by_id)
    SELECT ${flagFields('made')}, ${storedOrNull(actor)}::uuid
    FROM jsonb_array_elements(${jsonb(flags.map(flagRecord))}) AS given, jsonb_populate_record(NULL::feature_flags, given) AS made
    ON CONFLICT (key) DO NOTHING`;
}

type FlagUpdate = Pick<Step & { kind: 'updateFlag' }, 'key' | 'patch' | 'expectedVersion'>;

/** Changes the fields in the patches of those flags that exist and are at the expected version. Each flag at most once. */
export function updateFlags(updates: readonly FlagUpdate[]): Prisma.Sql {
  const fields = flagFields('patched');
  return Prisma.sql`
    UPDATE feature_flags AS stored
    SET (${flagFields()}) = (SELECT ${fields} FROM jsonb_populate_record(stored, given.patch) AS patched)
    FROM ${givenUpdates(updates)}
    WHERE stored.key = given.key AND (given.expected IS NULL OR stored.version = given.expected)`;
}

function givenUpdates(updates: readonly FlagUpdate[]): Prisma.Sql {
  const rows = updates.map(({ key, patch, expectedVersion }, place) => {
    return { place, key, patch: flagRecord(patch), expected: expectedVersion ?? null };
  });
  return Prisma.sql`jsonb_to_recordset(${jsonb(rows)}) AS given (place int, key varchar COLLATE "C", patch jsonb, expected int)`;
}

export function deleteFlags(keys: readonly string[]): Prisma.Sql {
  return Prisma.sql`DELETE FROM feature_flags WHERE key = ANY(${keys}::text[])`;
}

/** Sets those overrides whose flags exist; the users exist. Each override at most once. */
export function upsertOverrides(overrides: readonly NewOverride[], actor: string | null): Prisma.Sql {
  const rows = overrides.map(({ userId, flagKey, enabled, variant = null, reason, expiresAt }) => {
    return { user_id: storedUserId(userId), flag_key: flagKey, enabled, variant, reason, expires_at: expiresAt };
  });
  return Prisma.sql`
    INSERT INTO feature_flag_overrides AS stored (user_id, flag_key, enabled, variant, reason, expires_at, created_by_id)
    SELECT given.user_id, given.flag_key, given.enabled, given.variant, given.reason, given.expires_at, ${storedOrNull(actor)}::uuid
    FROM jsonb_populate_recordset(NULL::feature_flag_overrides, ${jsonb(rows)}) AS given
    JOIN feature_flags f ON f.key = given.flag_key
    ON CONFLICT (user_id, flag_key) DO UPDATE
    SET enabled = EXCLUDED.enabled, variant = EXCLUDED.variant, reason = EXCLUDED.reason, expires_at = EXCLUDED.expires_at,
        created_at = EXCLUDED.created_at, created_by_id = EXCLUDED.created_by_id
    WHERE (stored.enabled, stored.variant, stored.reason, stored.expires_at)
          IS DISTINCT FROM (EXCLUDED.enabled, EXCLUDED.variant, EXCLUDED.reason, EXCLUDED.expires_at)`;
}

export function deleteOverrides(overrides: readonly Pick<Override, 'userId' | 'flagKey'>[]): Prisma.Sql {
  const storedIds = overrides.map(({ userId }) => storedUserId(userId));
  return Prisma.sql`
    DELETE FROM feature_flag_overrides
    WHERE (user_id, flag_key) IN (
      SELECT user_id, flag_key COLLATE "C" FROM unnest(${uuids(storedIds)}, ${overrides.map(({ flagKey }) => flagKey)}::text[]) AS given (user_id, flag_key))`;
}

/** Adds users, who exist, to a group. */
export function insertMembers(group: string, users: StoredUsers, actor: string | null): Prisma.Sql {
  return Prisma.sql`
    INSERT INTO user_feature_groups (user_id, group_name, added_by_id)
    SELECT id, ${group}, ${storedOrNull(actor)}::uuid FROM unnest(${uuids(users.keys())}) AS id
    ON CONFLICT DO NOTHING`;
}

export function deleteMembers(group: string, users: StoredUsers): Prisma.Sql {
  return Prisma.sql`DELETE FROM user_feature_groups WHERE group_name = ${group} AND user_id = ANY(${uuids(users.keys())})`;
}

/** Replaces the attributes of users, and creates the users. Each user at most once. */
export function upsertUsers(
  users: readonly Pick<Step & { kind: 'setUserAttributes' }, 'userId' | 'attributes'>[],
): Prisma.Sql {
  const rows = users.map(({ userId, attributes }) => {
    return { id: storedUserId(userId), external_id: externalUserId(userId), attributes };
  });
  return Prisma.sql`
    INSERT INTO users AS stored (id, external_id, attributes)
    SELECT id, external_id, attributes FROM jsonb_populate_recordset(NULL::users, ${jsonb(rows)})
    ON CONFLICT (id) DO UPDATE
    SET attributes = EXCLUDED.attributes, external_id = coalesce(EXCLUDED.external_id, stored.external_id)
    WHERE stored.attributes <> EXCLUDED.attributes
       OR stored.external_id IS NULL AND EXCLUDED.external_id IS NOT NULL`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Several writes in one transaction. Each fault ends it.

/** What `halyard_refuse` is given. */
type Fault =
  | { readonly error: 'FLAG_EXISTS' | 'FLAG_NOT_FOUND'; readonly key: string; readonly field?: string }
  | { readonly error: 'VERSION_CONFLICT'; readonly flag: JsonObject; readonly expected: number }
  | { readonly error: 'CROSSED'; readonly flagKeys: readonly string[]; readonly userIds: readonly string[] };

/** The error of a fault. @param guard has the ids that the caller knows the users by. */
export function refusedBy(fault: string, guard: Guard | null): FeatureError | null {
  const told = JSON.parse(fault) as Fault;
  if (told.error === 'FLAG_EXISTS') return new FlagExistsError(told.key);
  if (told.error === 'FLAG_NOT_FOUND') return new FlagNotFoundError(told.key, told.field);
  if (told.error === 'VERSION_CONFLICT') return new VersionConflictError(flagFromLog(told.flag), told.expected);
  if (told.error !== 'CROSSED' || guard === null) return null;
  const knownBy = new Map(guard.userIds.map(id => [storedUserId(id), id]));
  return new CrossedError(guard.since, told.flagKeys, told.userIds.map(id => knownBy.get(id) ?? id).sort());
}

const mostNamed = 100;

/** Refuses if anything that the guard names was changed after its revision. */
export function refuseCrossed({ since, flagKeys, userIds }: Guard): Prisma.Sql {
  const ids = uuids(userIds.map(storedUserId));
  const keys = Prisma.sql`${flagKeys}::text[]`;
  // What is not in the log any more, or not yet, may have been anything.
  return Prisma.sql`
    WITH log AS (
      SELECT h.revision < ${since}
             OR h.revision > ${since} AND NOT EXISTS (SELECT FROM feature_changes WHERE revision = ${since} + 1)
             OR EXISTS (SELECT FROM feature_changes WHERE revision > ${since} AND kind = 'RESET') AS is_lost
      FROM feature_log_head h
    ), crossing AS (
      SELECT flag_key, user_id, user_ids FROM feature_changes
      WHERE revision > ${since} AND (flag_key = ANY(${keys}) OR user_id = ANY(${ids}) OR user_ids && ${ids})
    ), crossed_flags AS (
      SELECT key FROM unnest(${keys}) AS key, log WHERE is_lost OR key IN (SELECT flag_key FROM crossing)
      GROUP BY key ORDER BY key COLLATE "C" LIMIT ${mostNamed}
    ), crossed_users AS (
      SELECT id FROM unnest(${ids}) AS id, log
      WHERE is_lost OR id IN (SELECT user_id FROM crossing UNION ALL SELECT unnest(user_ids) FROM crossing)
      GROUP BY id ORDER BY id LIMIT ${mostNamed}
    )
    SELECT halyard_refuse((
      SELECT jsonb_build_object('error', 'CROSSED', 'flagKeys', flags, 'userIds', users)
      FROM (SELECT (SELECT coalesce(jsonb_agg(key), '[]') FROM crossed_flags) AS flags,
                   (SELECT coalesce(jsonb_agg(id), '[]') FROM crossed_users) AS users) AS crossed
      WHERE flags <> '[]' OR users <> '[]')) AS passed`;
}

/** Refuses with `fault` for the first of these flags for which `condition` holds. Both may name the flag's `key`. */
function refuseFlag(keys: readonly string[], fault: Prisma.Sql, condition: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`
    SELECT halyard_refuse((
      SELECT ${fault} FROM unnest(${keys}::text[]) WITH ORDINALITY AS given (key, place) WHERE ${condition}
      ORDER BY place LIMIT 1)) AS passed`;
}

type OfKind<Kind extends Step['kind']> = Step & { readonly kind: Kind };

/** How the steps of one kind become statements. */
interface Join<Kind extends Step['kind']> {
  /** One statement takes each subject once. */
  readonly subject: (step: OfKind<Kind>) => string;
  readonly statements: (steps: readonly OfKind<Kind>[], actor: string | null) => readonly Prisma.Sql[];
}

const joins: { readonly [Kind in Step['kind']]: Join<Kind> } = {
  createFlag: {
    subject: ({ flag }) => flag.key,
    statements: (steps, actor) => [
      Prisma.sql`
        WITH made AS (${insertFlags(
          steps.map(({ flag }) => flag),
          actor,
        )} RETURNING key)
        ${refuseFlag(
          steps.map(({ flag }) => flag.key),
          Prisma.sql`jsonb_build_object('error', 'FLAG_EXISTS', 'key', key)`,
          Prisma.sql`key NOT IN (SELECT key FROM made)`,
        )}`,
    ],
  },
  updateFlag: {
    subject: ({ key }) => key,
    statements: steps => [
      Prisma.sql`
        WITH written AS (${updateFlags(steps)} RETURNING stored.key)
        SELECT halyard_refuse((
          SELECT CASE
            WHEN f.key IS NULL THEN jsonb_build_object('error', 'FLAG_NOT_FOUND', 'key', given.key)
            ELSE jsonb_build_object('error', 'VERSION_CONFLICT', 'expected', given.expected,
                                    'flag', halyard_flag_state(f) || jsonb_build_object('createdById', coalesce(u.external_id, u.id::text)))
            END
          FROM ${givenUpdates(steps)} LEFT JOIN feature_flags f ON f.key = given.key LEFT JOIN users u ON u.id = f.created_by_id
          WHERE given.key NOT IN (SELECT key FROM written)
          ORDER BY given.place LIMIT 1)) AS passed`,
    ],
  },
  deleteFlag: { subject: ({ key }) => key, statements: steps => [deleteFlags(steps.map(({ key }) => key))] },
  setOverride: {
    subject: ({ override }) => overrideSubject(override),
    statements: (steps, actor) => {
      const overrides = steps.map(({ override }) => override);
      return [
        refuseFlag(
          overrides.map(({ flagKey }) => flagKey),
          Prisma.sql`jsonb_build_object('error', 'FLAG_NOT_FOUND', 'key', key, 'field', 'flagKey')`,
          Prisma.sql`key NOT IN (SELECT key FROM feature_flags)`,
        ),
        ensureUsers(storedUsers(overrides.map(({ userId }) => userId))),
        upsertOverrides(overrides, actor),
      ];
    },
  },
  removeOverride: { subject: overrideSubject, statements: steps => [deleteOverrides(steps)] },
  addToGroup: {
    subject: ({ group }) => group,
    statements: (steps, actor) =>
      steps.flatMap(({ group, userIds }) => {
        const users = storedUsers(userIds);
        return [ensureUsers(users), insertMembers(group, users, actor)];
      }),
  },
  removeFromGroup: {
    subject: ({ group }) => group,
    statements: steps => steps.map(({ group, userIds }) => deleteMembers(group, storedUsers(userIds))),
  },
  setUserAttributes: { subject: ({ userId }) => storedUserId(userId), statements: steps => [upsertUsers(steps)] },
};

function overrideSubject({ userId, flagKey }: Pick<Override, 'userId' | 'flagKey'>): string {
  return `${storedUserId(userId)} ${flagKey}`;
}

/** The most steps of one statement: it holds their fields in one text. */
const mostJoined = 500;

/** The statements of steps in their order. Neighbours of one kind are joined, if they concern different things. */
export function stepStatements(steps: readonly Step[], actor: string | null): Prisma.Sql[] {
  const runs: Step[][] = [];
  let subjects = new Set<string>();
  for (const step of steps) {
    const subject = joinOf(step.kind).subject(step);
    const run = runs.at(-1);
    if (run === undefined || run[0]?.kind !== step.kind || subjects.has(subject) || run.length === mostJoined) {
      runs.push([step]);
      subjects = new Set([subject]);
    } else {
      run.push(step);
      subjects.add(subject);
    }
  }
  return runs.flatMap(run => joinOf((run[0] as Step).kind).statements(run, actor));
}

/** The compiler does not see that a step has the kind under which its join is found. */
function joinOf(kind: Step['kind']): Join<Step['kind']> {
  return joins[kind] as unknown as Join<Step['kind']>;
}
