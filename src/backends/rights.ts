import type { Log } from '../core/log.js';
import { DatabaseSetupError, forLog, sqlState } from './errors.js';
import { type Migration, tableNames } from './migrate.js';
import type { Query } from './session.js';

/** The shortest time between two reports of missing rights, in milliseconds. */
const shortestPause = 60_000;

/**
 * The rights that the role of a session lacks, with the GRANTs that give them. Null: it has all rights that its work needs. In a
 * read-only session the work only reads. Tables that do not exist do not count. Nobody writes migrations and secrets but migrations.
 * @param onlyReads whether the work only reads in any session, and needs no secret.
 */
export async function missingRights(
  query: Query,
  migrations: readonly Migration[],
  onlyReads = false,
): Promise<string | null> {
  const tables = tableNames(migrations).map(name => `'${name}'`);
  const rows = await query(`
    WITH halyard AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = current_schema()),
    missing AS (
      SELECT format('%I.%I', nspname, relname) AS name, 'TABLE' AS kind, string_agg(needed, ', ' ORDER BY place) AS rights
      FROM pg_class JOIN halyard ON halyard.oid = relnamespace,
           unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) WITH ORDINALITY AS needed(needed, place)
      WHERE (relname = 'halyard_migrations' OR relname = ANY(ARRAY[${tables}]))
        AND (needed = 'SELECT' OR relname NOT IN ('halyard_migrations', 'halyard_secrets') AND ${!onlyReads}
             AND current_setting('transaction_read_only') = 'off')
        AND (relname <> 'halyard_secrets' OR ${!onlyReads})
        AND NOT has_table_privilege(pg_class.oid, needed)
      GROUP BY nspname, relname
      UNION ALL
      SELECT format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)), 'FUNCTION', 'EXECUTE'
      FROM pg_proc JOIN halyard ON halyard.oid = pronamespace
      WHERE proname LIKE 'halyard\\_%' AND prorettype <> 'trigger'::regtype
        AND NOT has_function_privilege(pg_proc.oid, 'EXECUTE')
    )
    SELECT current_user AS role, format('GRANT %s ON %s %s TO %I;', rights, kind,
           string_agg(name, ', ' ORDER BY name), current_user) AS statement
    FROM missing GROUP BY rights, kind ORDER BY kind DESC, rights DESC`);
  const [first] = rows;
  if (first === undefined) return null;
  const statements = rows.map(({ statement }) => (statement as string).replace(' ON TABLE ', ' ON ')).join(' ');
  return `The role "${first['role']}" lacks rights that Halyard needs. As the owner of the tables: ${statements}`;
}

/**
 * Turns a refused right at the start into an error with the statements that give the right. Null for any other error.
 * @param query of the session that was refused.
 */
export async function explainDenied(
  error: unknown,
  query: Query,
  migrations: readonly Migration[],
): Promise<DatabaseSetupError | null> {
  if (sqlState(error) !== '42501') return null;
  return new DatabaseSetupError((await missingRights(query, migrations)) ?? (await cannotMigrate(error, query)), {
    cause: error,
  });
}

/**
 * Turns a refused right of a running program into an error with the statements that give it. Null for any other error.
 * @param look finds the missing rights, as {@link missingRights} does.
 */
export async function explainMissing(
  error: unknown,
  look: () => Promise<string | null>,
): Promise<DatabaseSetupError | null> {
  if (sqlState(error) !== '42501') return null;
  const missing = await look();
  return missing === null ? null : new DatabaseSetupError(missing, { cause: error });
}

/** Why the role may not make the tables, or may not change them. */
async function cannotMigrate(error: unknown, query: Query): Promise<string> {
  const [row] = await query(`
    SELECT current_user AS name, quote_ident(current_user) AS role, current_schema() AS schema_name,
           quote_ident(current_schema()) AS schema, pg_get_userbyid(relowner) AS owner, pg_has_role(relowner, 'USAGE') AS owns
    FROM (SELECT) AS always LEFT JOIN pg_class ON pg_class.oid = to_regclass('halyard_migrations')`);
  const { name, role, schema_name: schemaName, schema, owner, owns } = row ?? {};
  const reason = innermost(error);
  if (owner === null || owns === true) {
    const what = owner === null ? 'has no tables of Halyard yet' : 'lacks migrations of this version';
    return (
      `The schema "${schemaName}" ${what}, and the role "${name}" may not make them there (${reason}). As the owner of the ` +
      `schema: GRANT CREATE ON SCHEMA ${schema} TO ${role}; or name another schema at the end of the address: ?schema=halyard`
    );
  }
  return (
    `The schema "${schemaName}" lacks migrations of this version, and the role "${name}" may not apply them (${reason}). ` +
    `Run \`npx halyard migrate\` as the role "${owner}", which owns the tables, and then, as that role: ` +
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role};`
  );
}

/**
 * Reports refused rights of a running node, with the GRANTs that give them, at most once a minute.
 * @param look finds the missing rights, as {@link missingRights} does.
 */
export function reportDenials(look: () => Promise<string | null>, log: Log): (error: unknown) => void {
  let quietUntil = 0;
  return error => {
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + shortestPause;
    const report = (missing: string | null) =>
      log.error({ err: forLog(error) }, missing ?? 'The role of the database lacks a right that Halyard needs.');
    look().then(report, () => report(null));
  };
}

function innermost(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? innermost(cause) : message;
}
