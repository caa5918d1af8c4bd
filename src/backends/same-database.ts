import { DatabaseSetupError } from './errors.js';
import type { Query } from './session.js';

interface Identity {
  /** The name and the place of the database, for messages. */
  readonly shown: string;
  readonly oid: unknown;
  /** The same for a server and its standbys, and another one for any other server. Null: the role may not read it. */
  readonly system: unknown;
  readonly startedAt: unknown;
}

async function identityOf(query: Query): Promise<Identity> {
  const [row = {}] = await query(
    `SELECT oid::text AS oid, extract(epoch FROM pg_postmaster_start_time())::text AS started_at,
            format('"%s" at %s', datname, coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'a Unix socket')) AS shown
     FROM pg_database WHERE datname = current_database()`,
  );
  // Every role may read it unless the server was hardened.
  const [control] = await query('SELECT system_identifier::text AS system FROM pg_control_system()').catch(() => []);
  return {
    shown: String(row['shown']),
    oid: row['oid'],
    system: control?.['system'] ?? null,
    startedAt: row['started_at'],
  };
}

/**
 * Checks that the two addresses lead to one database, before anything is written to either.
 * @throws DatabaseSetupError if they do not: what one writes would not be heard at the other.
 */
export async function requireSameDatabase(query: Query, listening: Query): Promise<void> {
  const [one, other] = await Promise.all([identityOf(query), identityOf(listening)]);
  const isKnown = one.system !== null && other.system !== null;
  const isSameServer = isKnown ? one.system === other.system : one.startedAt === other.startedAt;
  if (isSameServer && one.oid === other.oid) return;
  const elsewhere = one.shown === other.shown ? ', on another server' : '';
  throw new DatabaseSetupError(
    `DATABASE_LISTEN_URL leads to another database than DATABASE_URL: to ${other.shown}${elsewhere}, and DATABASE_URL to ` +
      `${one.shown}. Set DATABASE_LISTEN_URL to the PostgreSQL server behind DATABASE_URL, with the same database.`,
  );
}
