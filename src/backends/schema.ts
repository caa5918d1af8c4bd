import { DatabaseSetupError, sqlState } from './errors.js';
import { explainReadOnly } from './read-only.js';
import { type Query, quoteName, sessionSchema } from './session.js';

const nameAnother = 'name one at the end of the address: ?schema=halyard';

/**
 * Finds the schema of a session: the stated one, which is created if needed, or else the first one of the search path.
 * @param existing creates nothing.
 * @throws DatabaseSetupError with the remedy.
 */
export async function findSchema(query: Query, stated: string | undefined, existing: boolean): Promise<string> {
  const { schema, path } = await sessionSchema(query);
  if (schema !== null && (schema.startsWith('pg_') || schema === 'information_schema')) {
    throw new DatabaseSetupError(
      `The search path (${path}) leads to the schema "${schema}" first, which belongs to PostgreSQL. Change the search path, or ` +
        `${nameAnother}`,
    );
  }
  if (schema !== null) return schema;
  const [{ role, database, forbidden } = {}] = await query(unusable(stated));
  if (typeof forbidden === 'string') {
    throw new DatabaseSetupError(
      `The role "${role}" may not use the schema "${forbidden}". As the owner of the schema: ` +
        `GRANT USAGE, CREATE ON SCHEMA ${quoteName(forbidden)} TO ${quoteName(String(role))};`,
    );
  }
  if (stated === undefined) {
    throw new DatabaseSetupError(`No schema of the search path (${path}) exists. Make one of them, or ${nameAnother}`);
  }
  if (existing) throw new DatabaseSetupError(`There is no schema "${stated}" in the database "${database}".`);
  try {
    await query(`CREATE SCHEMA IF NOT EXISTS ${quoteName(stated)}`);
  } catch (error) {
    if (sqlState(error) !== '42501') throw (await explainReadOnly(error, query)) ?? error;
    throw new DatabaseSetupError(
      `There is no schema "${stated}" in the database "${database}", and the role "${role}" may not make it. As the owner of ` +
        `the database: CREATE SCHEMA ${quoteName(stated)} AUTHORIZATION ${quoteName(String(role))};`,
      { cause: error },
    );
  }
  return stated;
}

/** The first schema that is there, of the stated one or of those on the search path. The session may use none of them. */
function unusable(stated: string | undefined): string {
  // The names as they are listed: `"$user", public`.
  const listed = `unnest(string_to_array(replace(current_setting('search_path'), '$user', current_user), ','))`;
  const names =
    stated === undefined
      ? `SELECT btrim(btrim(name), '"'), place FROM ${listed} WITH ORDINALITY AS path(name, place)`
      : `SELECT '${stated.replaceAll("'", "''")}', 1`;
  return `SELECT current_user AS role, current_database() AS database,
                 (SELECT nspname FROM (${names}) AS wanted(name, place) JOIN pg_namespace ON nspname = name
                  ORDER BY place LIMIT 1) AS forbidden`;
}
