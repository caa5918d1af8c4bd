import { readFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import {
  type Migration,
  type MigrationConnection,
  MigrationError,
  migrate,
  readMigrations,
  tableNames,
} from '../../src/backends/migrate.js';
import { silentLog } from '../../src/core/log.js';
import { cleanups, database } from '../support/cleanups.js';
import { newFlag } from '../support/flags.js';
import { openPGlite, pgliteTemplate } from '../support/pglite.js';
import type { TestDatabase } from '../support/postgres.js';
import { PrismaEngine } from '../support/schema-engine.js';

async function connection(url: string): Promise<MigrationConnection> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  cleanups.push(() => client.end());
  return {
    query: async (sql, values) => (await client.query(sql, [...(values ?? [])])).rows,
    script: async sql => void (await client.query(sql)),
  };
}

async function engine(url: string): Promise<PrismaEngine> {
  const connected = await PrismaEngine.connect(new PrismaPg(url));
  cleanups.push(() => connected.free());
  return connected;
}

const schema = await readFile('prisma/schema.prisma', 'utf8');
const migrations = await readMigrations();
const names = migrations.map(({ name }) => name);
const changed = (extra: string): Migration[] =>
  migrations.map(m => ({ ...m, sql: m.sql + extra, checksum: 'another' }));
const next = (sql: string): Migration => ({ name: '29990101000000_next', sql, checksum: 'f'.repeat(64) });

// On PGlite: the PostgreSQL adapter cannot read a column type that the engine's description of a database uses.
describe('migrations and schema.prisma', () => {
  let pglite: PGlite;
  let prisma: PrismaEngine;

  beforeAll(async () => {
    pglite = await PGlite.create({ loadDataDir: await pgliteTemplate() });
    prisma = await PrismaEngine.connect(new PrismaPGlite(pglite));
  });
  afterAll(async () => {
    prisma.free();
    await pglite.close();
  });

  it('describe the same database', async () => {
    expect(await prisma.difference(schema)).toContain('No difference detected');
  });

  it.each([
    'ALTER TABLE feature_flags ALTER name TYPE varchar(201)',
    'ALTER TABLE feature_flags ALTER created_at TYPE timestamptz(6)',
    'ALTER TABLE feature_flags ALTER description SET NOT NULL',
    'ALTER TABLE feature_flags ALTER percentage SET DEFAULT 99',
    'ALTER TABLE users ADD nickname text',
    'ALTER TABLE users ALTER id DROP DEFAULT',
    'DROP INDEX user_feature_groups_group_name_user_id_idx',
    'DROP INDEX feature_changes_user_ids_idx',
    "ALTER TYPE feature_change_kind ADD VALUE 'OTHER'",
    'ALTER TABLE feature_flag_overrides DROP CONSTRAINT feature_flag_overrides_flag_key_fkey',
    `ALTER TABLE feature_flag_overrides DROP CONSTRAINT feature_flag_overrides_flag_key_fkey,
       ADD CONSTRAINT feature_flag_overrides_flag_key_fkey FOREIGN KEY (flag_key) REFERENCES feature_flags (key) ON UPDATE CASCADE`,
    'DROP TABLE feature_log_head',
  ])('would be seen to differ after %s', async sql => {
    await pglite.exec(`BEGIN; ${sql}`);
    const difference = await prisma.difference(schema);
    await pglite.exec('ROLLBACK');
    expect(difference).toMatch(/^\[[+*-]\]/m);
  });
});

describe('migrate', () => {
  it('brings an empty database up to date once', async () => {
    const { url, query } = await database({ migrated: false });
    expect(await migrate(await connection(url), migrations)).toEqual(names);
    expect(await migrate(await connection(url), migrations)).toEqual([]);
    expect((await query('SELECT revision FROM feature_log_head')).rows).toEqual([{ revision: '0' }]);
  });

  describe('on a database of an earlier version, which kept its records among those of Prisma', () => {
    /** As that version left it: its tables, and Prisma's table with its record. */
    async function earlier(): Promise<TestDatabase> {
      const made = await database({ migrated: false });
      const [first] = migrations as [Migration];
      await made.query(first.sql);
      await (await engine(made.url)).markApplied(migrations, first.name);
      return made;
    }

    it('takes the records over, and goes on from there', async () => {
      const { url, query } = await earlier();
      await query(`INSERT INTO feature_flags (key, name) VALUES ('kept', 'n')`);
      expect(await migrate(await connection(url), migrations)).toEqual(names.slice(1));
      const records = (await query('SELECT name, checksum FROM halyard_migrations ORDER BY name')).rows;
      expect(records).toEqual(migrations.map(({ name, checksum }) => ({ name, checksum })));
      expect((await query('SELECT key FROM feature_flags')).rows).toEqual([{ key: 'kept' }]);
      expect(await migrate(await connection(url), migrations)).toEqual([]);
      // What was there before counts as seen, and triggers fire always.
      const differing = 'SELECT table_name FROM feature_log_digests WHERE digest <> halyard_digest_of(table_name)';
      expect((await query(differing)).rows).toEqual([]);
      const dormant = `SELECT tgname FROM pg_trigger WHERE tgname LIKE 'halyard%' AND tgenabled <> 'A'`;
      expect((await query(dormant)).rows).toEqual([]);
      // Nobody else had records in Prisma's table.
      expect((await query(`SELECT to_regclass('_prisma_migrations') AS t`)).rows).toEqual([{ t: null }]);
    });

    it("leaves Prisma's table to the program that shares it, as if nothing had been there", async () => {
      const { url, query } = await earlier();
      const theirs = { name: '20200101000000_theirs', sql: 'CREATE TABLE theirs (id int);', checksum: '' };
      await query(theirs.sql);
      const prisma = await engine(url);
      await prisma.markApplied([theirs], theirs.name);
      await migrate(await connection(url), migrations);
      expect((await query('SELECT migration_name AS name FROM _prisma_migrations')).rows).toEqual([
        { name: theirs.name },
      ]);
      expect(await prisma.diagnose([theirs])).toMatchObject({
        hasMigrationsTable: true,
        failedMigrationNames: [],
        editedMigrationNames: [],
        history: null,
      });
      expect(await prisma.deploy([theirs])).toEqual([]);
    });

    it('refuses a migration that was changed after that version had applied it', async () => {
      const { url } = await earlier();
      await expect(migrate(await connection(url), changed(''))).rejects.toThrow(`${names[0]} was changed after`);
    });
  });

  describe('beside a program that has tables of its own in the schema', () => {
    it('refuses where a name is taken, writes nothing, and says the address that works', async () => {
      const { url, name, query } = await database({ migrated: false });
      await query('CREATE TABLE users (id serial, email text)');
      const tables = async () => (await query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).rows;
      const secret = url.replace('postgres@', 'postgres:secret@');
      const error = await openDatabase({ url: secret }).catch(e => e);
      expect(error).toBeInstanceOf(MigrationError);
      expect(error.message).toMatch(/The schema "public" has tables already .*\(users\).* Nothing was changed\./);
      expect(error.message).not.toContain('secret');
      expect(await tables()).toEqual([{ tablename: 'users' }]);
      const address = /postgresql:\S+$/.exec(error.message)?.[0] as string;
      expect(address).toContain(`/${name}?`);
      const backend = await openDatabase({ url: address });
      cleanups.push(() => backend.close());
      expect(backend.appliedMigrations).toEqual(names);
      expect((await query('SELECT count(*)::int AS n FROM halyard.feature_log_head')).rows).toEqual([{ n: 1 }]);
      expect(await tables()).toEqual([{ tablename: 'users' }]);
    });

    it('says of no schema where there is no address to say it with', async () => {
      const { url, query } = await database({ migrated: false });
      await query('CREATE TABLE feature_changes (id int); CREATE VIEW users AS SELECT 1 AS id');
      const attempt = migrate(await connection(url), migrations);
      await expect(attempt).rejects.toThrow(
        /\(feature_changes, users\).*put \?schema=halyard at the end of DATABASE_URL/,
      );
    });

    it('is not concerned with their migrations, even with one that did not finish', async () => {
      const { url, query } = await database({ migrated: false });
      const prisma = await engine(url);
      const theirs = { name: '20200101000000_theirs', sql: 'SELECT 1 / 0;', checksum: '' };
      await expect(prisma.deploy([theirs])).rejects.toThrow();
      const before = (await query('SELECT * FROM _prisma_migrations')).rows;
      expect(before).toMatchObject([{ migration_name: theirs.name, finished_at: null }]);
      expect(await migrate(await connection(url), migrations)).toEqual(names);
      expect(await migrate(await connection(url), migrations)).toEqual([]);
      expect((await query('SELECT * FROM _prisma_migrations')).rows).toEqual(before);
    });
  });

  it('lets four nodes start at once on an empty database: one works, all serve', async () => {
    const { url, query } = await database({ migrated: false });
    const nodes = await Promise.all(Array.from({ length: 4 }, () => openDatabase({ url, poolSize: 2 })));
    cleanups.push(() => Promise.all(nodes.map(node => node.close())));
    expect(nodes.map(node => node.appliedMigrations.length).sort()).toEqual([0, 0, 0, names.length]);
    expect((await query('SELECT name FROM halyard_migrations')).rows).toHaveLength(names.length);
    const epochs = await Promise.all(nodes.map(async node => (await node.definitions()).epoch));
    expect(new Set(epochs).size).toBe(1);
  });

  it('refuses a database that has lost a table, and says which', async () => {
    const { url, query } = await database();
    await query('DROP TABLE feature_changes');
    const attempt = openDatabase({ url });
    await expect(attempt).rejects.toThrow(MigrationError);
    await expect(attempt).rejects.toThrow(
      /The schema "public" has lost tables of Halyard \(feature_changes\).*Restore .*schema=halyard/,
    );
  });

  it('refuses a migration that was changed after it had been applied', async () => {
    const { url } = await database();
    const attempt = migrate(await connection(url), changed(''));
    await expect(attempt).rejects.toThrow(MigrationError);
    await expect(attempt).rejects.toThrow(`${names[0]} was changed after it had been applied`);
  });

  it('leaves nothing of a migration that fails, and applies its repaired form', async () => {
    const { url, query } = await database();
    const bad = next('CREATE TABLE half (id int); SELECT 1 / 0;');
    await expect(migrate(await connection(url), [...migrations, bad])).rejects.toThrow(
      /next failed and was undone.*zero/,
    );
    expect((await query(`SELECT to_regclass('half') AS half`)).rows).toEqual([{ half: null }]);
    const good = next('CREATE TABLE half (id int);');
    expect(await migrate(await connection(url), [...migrations, good])).toEqual([good.name]);
  });

  it('leaves nothing of a migration that it cannot record', async () => {
    const { url, query } = await database();
    const bad = next('CREATE TABLE half (id int); ALTER TABLE halyard_migrations RENAME TO gone;');
    await expect(migrate(await connection(url), [...migrations, bad])).rejects.toThrow(MigrationError);
    const tables = `SELECT to_regclass('half') AS half, to_regclass('gone') AS gone`;
    expect((await query(tables)).rows).toEqual([{ half: null, gone: null }]);
  });

  it('leaves the migrations of a newer program alone', async () => {
    const { url } = await database();
    await migrate(await connection(url), [...migrations, next('CREATE TABLE newer (id int);')]);
    expect(await migrate(await connection(url), migrations)).toEqual([]);
  });

  it('serves beside a newer program, and says in one line that the database is newer', async () => {
    const { url } = await database();
    const warnings: { readonly details: object; readonly message: string }[] = [];
    const log = { ...silentLog, warn: (details: object, message: string) => warnings.push({ details, message }) };
    const open = async () => {
      const node = await openDatabase({ url, log, poolSize: 1 });
      cleanups.push(() => node.close());
      return node;
    };
    await open();
    expect(warnings).toEqual([]);
    await migrate(await connection(url), [
      ...migrations,
      { ...next('SELECT 1;'), name: '29980101000000_before' },
      next('CREATE TABLE newer (id int);'),
    ]);
    const node = await open();
    expect(warnings).toEqual([
      {
        details: { newestInDatabase: '29990101000000_next', newestKnown: names.at(-1) },
        message: expect.stringMatching(/newer version.*rolling upgrade.*docs\/operating\.md/),
      },
    ]);
    expect((await node.createFlag(newFlag('k'), null)).value.key).toBe('k');
  });

  it('names the newer program where its migrations took a table away that this one needs', async () => {
    const { url } = await database();
    await migrate(await connection(url), [...migrations, next('DROP TABLE feature_changes CASCADE;')]);
    await expect(openDatabase({ url })).rejects.toThrow(
      /newer version.*29990101000000_next.*no longer has.*\(feature_changes\).*Start that version/,
    );
  });

  it('asks for the tables of the newest schema only: others may have been dropped, or have another name', async () => {
    const { url, query } = await database();
    const made = next('CREATE TABLE one (id int);\nCREATE TABLE two (id int);\nCREATE TABLE three (id int);');
    const later = {
      ...next('ALTER TABLE one RENAME TO four;\nDROP TABLE IF EXISTS two, three CASCADE;'),
      name: '29990102000000_later',
    };
    const all = [...migrations, made, later];
    expect(await migrate(await connection(url), all)).toEqual([made.name, later.name]);
    expect(tableNames(all).filter(name => !tableNames(migrations).includes(name))).toEqual(['four']);
    await query('DROP TABLE four');
    await expect(migrate(await connection(url), all)).rejects.toThrow('has lost tables of Halyard (four)');
  });

  it('lets go of its lock, also after a failure', async () => {
    const { url } = await database();
    await expect(migrate(await connection(url), changed(''))).rejects.toThrow();
    expect(await migrate(await connection(url), migrations)).toEqual([]);
  });

  it('makes and uses the schema that the address names, triggers included', async () => {
    const { url, query } = await database({ migrated: false });
    const backend = await openDatabase({ url: `${url}&schema=flags` });
    cleanups.push(() => backend.close());
    await backend.createFlag(newFlag('k'), null);
    // Another hand, with another search path.
    await query('UPDATE flags.feature_flags SET enabled = true');
    expect((await backend.changes(0, 10)).changes.map(({ kind }) => kind)).toEqual(['FLAG_CREATED', 'FLAG_UPDATED']);
    expect(await backend.prisma.featureFlag.count()).toBe(1);
    expect((await query(`SELECT to_regclass('public.feature_flags') AS t`)).rows).toEqual([{ t: null }]);
  });

  it('serves the embedded database as well', async () => {
    const backend = await openPGlite();
    cleanups.push(() => backend.close());
    expect(backend.appliedMigrations).toEqual([]);
    const records = await backend.prisma.$queryRaw`SELECT name, checksum FROM halyard_migrations ORDER BY name`;
    expect(records).toEqual(migrations.map(({ name, checksum }) => ({ name, checksum })));
  });
});
