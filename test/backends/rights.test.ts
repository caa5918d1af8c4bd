import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Auditor } from '../../src/backends/auditor.js';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { DatabaseSetupError } from '../../src/backends/errors.js';
import { migrationsFolder, readMigrations } from '../../src/backends/migrate.js';
import { openPostgres } from '../../src/backends/postgres.js';
import { readSecrets } from '../../src/backends/secrets.js';
import { types as runTypes } from '../../src/cli/types.js';
import { UnavailableError } from '../../src/core/errors.js';
import { type Log, silentLog } from '../../src/core/log.js';
import { cleanups } from '../support/cleanups.js';
import { newFlag } from '../support/flags.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';

const names = (await readMigrations(migrationsFolder)).map(({ name }) => name);
const user = '6f1c1d0e-5b1a-4d64-9d62-0d1d1e7b2f10';

interface Restricted extends TestDatabase {
  readonly role: string;
  /** The address in the name of the role. */
  readonly roleUrl: string;
  /** Runs statements of the superuser. `$role` and `$database` in them are the names. */
  run(sql: string): Promise<unknown>;
}

/** A database, and a role that may do nothing there yet. */
async function restricted(migrated: boolean, parameters = ''): Promise<Restricted> {
  const database = await createDatabase({ migrated });
  cleanups.push(() => database.drop());
  const role = `${database.name}_app`;
  await database.query(`CREATE ROLE ${role} LOGIN`);
  cleanups.push(() => database.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`));
  const run = (sql: string) => database.query(sql.replaceAll('$role', role).replaceAll('$database', database.name));
  const roleUrl = database.url.replace('//postgres@', `//${role}@`) + parameters;
  return { ...database, role, roleUrl, run };
}

async function open(url: string, log: Log = silentLog): Promise<DatabaseBackend> {
  const backend = await openDatabase({ url, log });
  cleanups.push(() => backend.close());
  return backend;
}

/** Opens, writes, and returns the migrations that were applied. */
async function use(url: string): Promise<readonly string[]> {
  const backend = await open(url);
  expect((await backend.addToGroup('g', [user], null)).revision).toBe(1);
  return backend.appliedMigrations;
}

/** Stands for the statements of all migrations before the last one that alters a table. */
const beforeLast = 'migrations';
const allTables = 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO $role';

describe('a role of few rights', () => {
  it('makes its tables in a schema that is there, without the right to make schemas', async () => {
    const { roleUrl, run } = await restricted(false, '&schema=flags');
    await run('CREATE SCHEMA flags; GRANT USAGE, CREATE ON SCHEMA flags TO $role');
    expect(await use(roleUrl)).toEqual(names);
  });

  it('starts where another role has migrated, without the right to make tables', async () => {
    const { roleUrl, run } = await restricted(true);
    await run(allTables);
    expect(await use(roleUrl)).toEqual([]);
  });

  it('needs no right to change the secrets that all nodes share', async () => {
    const { roleUrl, run } = await restricted(true);
    await run(`${allTables}; REVOKE INSERT, UPDATE, DELETE ON halyard_secrets FROM $role`);
    expect(await use(roleUrl)).toEqual([]);
    expect((await readSecrets((await open(roleUrl)).prisma)).confirmation).toHaveLength(32);
  });

  it('needs no right to write in a session that is read-only', async () => {
    const { roleUrl, run } = await restricted(true);
    await run(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO $role;
               ALTER ROLE $role SET default_transaction_read_only = on`);
    const backend = await open(roleUrl);
    expect((await backend.definitions()).flags).toEqual([]);
  });
});

interface Refused {
  readonly name: string;
  readonly migrated: boolean;
  /** What the superuser does before. */
  readonly sql?: string;
  readonly parameters?: string;
  readonly message: RegExp;
}

const refused: readonly Refused[] = [
  {
    name: 'with the right to read only',
    migrated: true,
    sql: 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO $role',
    message: /The role "\w+" lacks rights that Halyard needs\. .*GRANT INSERT, UPDATE, DELETE ON .*public\.users/,
  },
  {
    name: 'without any right',
    migrated: true,
    message: /lacks rights .*GRANT SELECT ON public\.halyard_migrations, public\.halyard_secrets TO \w+;/,
  },
  {
    name: 'with rights on four tables alone',
    migrated: true,
    sql: `GRANT SELECT, INSERT, UPDATE, DELETE ON users, feature_flags, user_feature_groups, feature_flag_overrides TO $role;
          GRANT SELECT ON halyard_migrations TO $role`,
    message: /GRANT SELECT, INSERT, UPDATE, DELETE ON (?!.*public\.users).*public\.feature_log_head/,
  },
  {
    name: 'without a table that a new version brought',
    migrated: true,
    sql: `${allTables}; REVOKE ALL ON feature_flag_versions FROM $role`,
    message: /GRANT SELECT, INSERT, UPDATE, DELETE ON public\.feature_flag_versions TO \w+;$/,
  },
  {
    name: 'without the table of secrets, which is only read',
    migrated: true,
    sql: `${allTables}; REVOKE ALL ON halyard_secrets FROM $role`,
    message: /lacks rights .*: GRANT SELECT ON public\.halyard_secrets TO \w+;$/,
  },
  {
    name: 'where functions are not for everybody',
    migrated: true,
    sql: `${allTables}; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC`,
    message: /GRANT EXECUTE ON FUNCTION .*public\.halyard_flag_state\(f \w*\.?feature_flags\)/,
  },
  {
    name: 'where migrations are due that only the owner may apply',
    migrated: false,
    sql: beforeLast,
    message: /lacks migrations .*may not apply them \(.*\)\. Run .*halyard migrate.* as the role "postgres"/,
  },
  {
    name: 'in a schema that is absent',
    migrated: false,
    parameters: '&schema=Flags',
    message: /There is no schema "Flags".*may not make it.*CREATE SCHEMA "Flags" AUTHORIZATION "\w+";/,
  },
  {
    name: 'in a schema where it may not make tables',
    migrated: false,
    sql: 'CREATE SCHEMA "Flags"; GRANT USAGE ON SCHEMA "Flags" TO $role',
    parameters: '&schema=Flags',
    message: /The schema "Flags" has no tables of Halyard yet.*GRANT CREATE ON SCHEMA "Flags" TO \w+;/,
  },
  {
    name: 'in a schema that it may not use',
    migrated: false,
    sql: 'CREATE SCHEMA "Flags"',
    parameters: '&schema=Flags',
    message: /may not use the schema "Flags".*GRANT USAGE, CREATE ON SCHEMA "Flags" TO "\w+";/,
  },
  {
    name: 'in the schema public, where PostgreSQL 15 lets only the owner make tables',
    migrated: false,
    message: /The schema "public" has no tables of Halyard yet.*GRANT CREATE ON SCHEMA public TO \w+;.*\?schema=/,
  },
  {
    name: 'in the schema public, if it may not use that',
    migrated: true,
    sql: `${allTables}; REVOKE USAGE ON SCHEMA public FROM PUBLIC`,
    message: /may not use the schema "public".*GRANT USAGE, CREATE ON SCHEMA "public" TO "\w+";/,
  },
];

describe('a role is refused with the statements that mend it', () => {
  it.each(refused)('$name', async ({ migrated, sql = '', parameters, message }) => {
    const database = await restricted(migrated, parameters);
    const { roleUrl, run } = database;
    if (sql === beforeLast) await beforeTheLastMigration(database);
    else await run(sql);
    const error = await open(roleUrl).catch(e => e);
    expect(error).toBeInstanceOf(DatabaseSetupError);
    expect(error.message).toMatch(message);
    if (error.message.includes('halyard migrate')) await (await open(database.url)).close();
    for (const [statement] of error.message.matchAll(/\b(GRANT|CREATE SCHEMA) [^;]*;/g)) await run(statement);
    await use(roleUrl);
  });

  /** A database that another role has brought to the version before the last one that alters a table. */
  async function beforeTheLastMigration({ run }: Restricted): Promise<void> {
    const all = await readMigrations();
    const migrations = all.slice(0, all.map(({ sql }) => sql.includes('ALTER TABLE')).lastIndexOf(true));
    for (const { sql } of migrations) await run(sql);
    const records = migrations.map(({ name, checksum }) => `('${name}', '${checksum}')`).join();
    await run(`CREATE TABLE halyard_migrations (name varchar(255) PRIMARY KEY, checksum varchar(64) NOT NULL,
                                                applied_at timestamptz(3) NOT NULL DEFAULT now());
               INSERT INTO halyard_migrations VALUES ${records}; ${allTables}`);
  }
});

describe('a right that is taken away while a node runs', () => {
  it('makes its statements unavailable, and the log has the GRANT', async () => {
    const { roleUrl, run } = await restricted(true);
    await run(allTables);
    const lines: string[] = [];
    const error = (_: object, message: string) => void lines.push(message);
    const backend = await open(roleUrl, { ...silentLog, error });
    await run('REVOKE INSERT ON feature_changes FROM $role');
    for (let i = 0; i < 2; i += 1) {
      const refusal = await backend.createFlag(newFlag('k'), null).catch(e => e);
      expect(refusal).toBeInstanceOf(UnavailableError);
      expect(refusal.message).toMatch(/lacks a right.*Nothing was changed\./);
    }
    const told = () => lines.filter(line => line.includes('GRANT INSERT ON public.feature_changes TO'));
    await until(() => told().length > 0, 'the log has the GRANT');
    expect(told()).toHaveLength(1);
    await run('REVOKE SELECT ON users FROM $role');
    await expect(backend.targeting([user])).rejects.toThrow(UnavailableError);
    await run(allTables);
    await backend.createFlag(newFlag('k'), null);
  });

  it('stops the audits; the log has the GRANT once, and again when another right is missing', async () => {
    const { roleUrl, run } = await restricted(true);
    await run(allTables);
    const lines: string[] = [];
    const warn = ({ err }: { err?: Error }, message: string) => void lines.push(`${message} ${err?.message}`);
    const { prisma } = await open(roleUrl);
    const connection = await openPostgres({ url: roleUrl, poolSize: 1, statementTimeoutMs: 5_000, log: silentLog });
    cleanups.push(() => connection.close());
    let rounds = 0;
    const alone = (sql: string) =>
      (connection.alone as NonNullable<typeof connection.alone>)(sql).finally(() => {
        rounds += 1;
      });
    const auditor = new Auditor({ prisma, alone, log: { ...silentLog, warn: warn as Log['warn'] }, interval: 5 });
    cleanups.push(() => auditor.stop());
    const severalRounds = async (sql: string) => {
      await run(sql);
      for (let i = 0; i < 3; i += 1) {
        const before = rounds;
        await run('UPDATE feature_log_digests SET check_after = now()');
        await until(() => rounds > before + 1, 'tables are audited');
        const due = () => prisma.$queryRaw<object[]>`SELECT 1 FROM feature_log_digests WHERE check_after <= now()`;
        await until(async () => (await due()).length === 0, 'no table is due');
        // Time for a round that finds nothing to audit.
        await sleep(50);
      }
    };
    await severalRounds('REVOKE EXECUTE ON FUNCTION halyard_digest_of(text) FROM PUBLIC');
    expect(lines).toEqual([
      expect.stringMatching(/could not be audited.*GRANT EXECUTE ON FUNCTION public\.halyard_digest_of\(.*TO \w+;$/),
    ]);
    await severalRounds('REVOKE SELECT ON feature_changes FROM $role');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/GRANT SELECT ON public\.feature_changes TO \w+;/);
    await severalRounds(`${allTables}; GRANT EXECUTE ON FUNCTION halyard_digest_of(text) TO PUBLIC`);
    // One audit may have been refused right before.
    lines.length = 0;
    await severalRounds('REVOKE EXECUTE ON FUNCTION halyard_digest_of(text) FROM PUBLIC');
    expect(lines).toEqual([expect.stringContaining('GRANT EXECUTE ON FUNCTION public.halyard_digest_of(')]);
  });
});

describe('a command that only reads', () => {
  it('says which rights to read its role lacks, and no others', async () => {
    const { roleUrl, run } = await restricted(true);
    const directory = await mkdtemp(join(tmpdir(), 'halyard-rights-'));
    cleanups.push(() => rm(directory, { recursive: true }));
    const types = () => runTypes({ DATABASE_URL: roleUrl }, { out: join(directory, 'features.d.ts') });
    const { message } = (await types().catch(error => error)) as Error;
    expect(message).toMatch(/^The role "\w+" lacks rights .*GRANT SELECT ON .*public\.feature_flags.* TO \w+;$/);
    expect(message).not.toMatch(/INSERT|UPDATE|DELETE|secrets/);
    for (const [statement] of message.matchAll(/\bGRANT [^;]*;/g)) await run(statement);
    expect(await types()).toMatch(/^Wrote .*: 0 flags\.$/);
  });
});
