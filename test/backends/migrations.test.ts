import { readFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import {
  type Migration,
  type MigrationConnection,
  MigrationError,
  migrate,
  readMigrations,
} from '../../src/backends/migrate.js';
import { openPGlite, pgliteTemplate } from '../support/pglite.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { PrismaEngine } from '../support/schema-engine.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function database(migrated: boolean): Promise<TestDatabase> {
  const made = await createDatabase({ migrated });
  cleanups.push(() => made.drop());
  return made;
}

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
    'DROP INDEX user_feature_groups_group_name_idx',
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
    const { url, query } = await database(false);
    expect(await migrate(await connection(url), migrations)).toEqual(names);
    expect(await migrate(await connection(url), migrations)).toEqual([]);
    expect((await query('SELECT revision FROM feature_log_head')).rows).toEqual([{ revision: '0' }]);
  });

  it('records what it did as Prisma would: status finds nothing to say, deploy nothing to do', async () => {
    const { url } = await database(false);
    await migrate(await connection(url), migrations);
    const prisma = await engine(url);
    expect(await prisma.diagnose(migrations)).toMatchObject({
      hasMigrationsTable: true,
      failedMigrationNames: [],
      editedMigrationNames: [],
      history: null,
    });
    expect(await prisma.deploy(migrations)).toEqual([]);
    // The engine reads those checksums: with another text it sees that the migration was edited.
    expect(await prisma.diagnose(changed('-- edited'))).toMatchObject({ editedMigrationNames: names });
  });

  it('agrees with a history that Prisma wrote', async () => {
    const { url, query } = await database(false);
    for (const { sql } of migrations) await query(sql);
    const prisma = await engine(url);
    for (const name of names) await prisma.markApplied(migrations, name);
    expect(await migrate(await connection(url), migrations)).toEqual([]);
  });

  it('writes a table of records like the one that Prisma makes', async () => {
    const [ours, theirs] = [await database(false), await database(false)];
    await migrate(await connection(ours.url), []);
    await (await engine(theirs.url)).markApplied(migrations, names[0] as string);
    const describeTable = async ({ query }: TestDatabase) =>
      (
        await query(`SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
                     FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`)
      ).rows;
    expect(await describeTable(ours)).toHaveLength(8);
    expect(await describeTable(ours)).toEqual(await describeTable(theirs));
  });

  it('lets four nodes start at once on an empty database: one works, all serve', async () => {
    const { url, query } = await database(false);
    const nodes = await Promise.all(Array.from({ length: 4 }, () => openDatabase({ url, poolSize: 2 })));
    cleanups.push(() => Promise.all(nodes.map(node => node.close())));
    expect(nodes.map(node => node.appliedMigrations.length).sort()).toEqual([0, 0, 0, names.length]);
    expect((await query('SELECT migration_name FROM _prisma_migrations')).rows).toHaveLength(names.length);
    const epochs = await Promise.all(nodes.map(async node => (await node.definitions()).epoch));
    expect(new Set(epochs).size).toBe(1);
  });

  it('refuses a migration that was changed after it had been applied', async () => {
    const { url } = await database(true);
    const attempt = migrate(await connection(url), changed(''));
    await expect(attempt).rejects.toThrow(MigrationError);
    await expect(attempt).rejects.toThrow(`${names[0]} was changed after it had been applied`);
  });

  it('refuses to go on after a migration that failed under another hand', async () => {
    const { url, query } = await database(true);
    await query(`INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'y', 'half_done')`);
    await expect(migrate(await connection(url), migrations)).rejects.toThrow(/half_done .* did not finish.*resolve/);
    await query(`UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = 'half_done'`);
    expect(await migrate(await connection(url), migrations)).toEqual([]);
  });

  it('leaves nothing of a migration that fails, and applies its repaired form', async () => {
    const { url, query } = await database(true);
    const bad = next('CREATE TABLE half (id int); SELECT 1 / 0;');
    await expect(migrate(await connection(url), [...migrations, bad])).rejects.toThrow(
      /next failed and was undone.*zero/,
    );
    expect((await query(`SELECT to_regclass('half') AS half`)).rows).toEqual([{ half: null }]);
    const good = next('CREATE TABLE half (id int);');
    expect(await migrate(await connection(url), [...migrations, good])).toEqual([good.name]);
  });

  it('leaves nothing of a migration that it cannot record', async () => {
    const { url, query } = await database(true);
    const bad = next('CREATE TABLE half (id int); ALTER TABLE _prisma_migrations RENAME TO gone;');
    await expect(migrate(await connection(url), [...migrations, bad])).rejects.toThrow(MigrationError);
    const tables = `SELECT to_regclass('half') AS half, to_regclass('gone') AS gone`;
    expect((await query(tables)).rows).toEqual([{ half: null, gone: null }]);
  });

  it('leaves the migrations of a newer program alone', async () => {
    const { url } = await database(true);
    await migrate(await connection(url), [...migrations, next('CREATE TABLE newer (id int);')]);
    expect(await migrate(await connection(url), migrations)).toEqual([]);
  });

  it('lets go of its lock, also after a failure', async () => {
    const { url } = await database(true);
    await expect(migrate(await connection(url), changed(''))).rejects.toThrow();
    expect(await migrate(await connection(url), migrations)).toEqual([]);
  });

  it('makes and uses the schema that the address names, triggers included', async () => {
    const { url, query } = await database(false);
    const backend = await openDatabase({ url: `${url}&schema=flags` });
    cleanups.push(() => backend.close());
    const flag = { key: 'k', name: 'k', description: null, enabled: false, percentage: 100, conditions: {} };
    await backend.createFlag(flag, null);
    // Another hand, with another search path.
    await query('UPDATE flags.feature_flags SET enabled = true');
    expect((await backend.changes(0, 10)).changes.map(({ kind }) => kind)).toEqual(['FLAG_CREATED', 'FLAG_UPDATED']);
    expect(await backend.prisma.featureFlag.count()).toBe(1);
    expect((await query(`SELECT to_regclass('public.feature_flags') AS t`)).rows).toEqual([{ t: null }]);
  });

  describe('with a role of few rights', () => {
    /** A database with the schema `flags`, and its address in the name of a new role that may do nothing there yet. */
    async function restricted(migrated: boolean) {
      const { url, name, query } = await database(false);
      if (migrated) await (await openDatabase({ url: `${url}&schema=flags` })).close();
      else await query('CREATE SCHEMA flags');
      await query(`CREATE ROLE ${name}_app LOGIN`);
      const drop = () => query(`DROP OWNED BY ${name}_app CASCADE; DROP ROLE ${name}_app`);
      cleanups.push(drop);
      return { role: `${name}_app`, query, url: `${url.replace('//postgres@', `//${name}_app@`)}&schema=flags` };
    }

    async function use(url: string): Promise<readonly string[]> {
      const backend = await openDatabase({ url });
      cleanups.push(() => backend.close());
      const { revision } = await backend.addToGroup('g', ['6f1c1d0e-5b1a-4d64-9d62-0d1d1e7b2f10'], null);
      expect(revision).toBe(1);
      return backend.appliedMigrations;
    }

    it('makes its tables in a schema that is there, without the right to make schemas', async () => {
      const { role, url, query } = await restricted(false);
      await query(`GRANT USAGE, CREATE ON SCHEMA flags TO ${role}`);
      expect(await use(url)).toEqual(names);
    });

    it('starts where another has migrated, without the right to make tables', async () => {
      const { role, url, query } = await restricted(true);
      await query(`GRANT USAGE ON SCHEMA flags TO ${role};
                   GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA flags TO ${role}`);
      expect(await use(url)).toEqual([]);
    });
  });

  it('serves the embedded database as well', async () => {
    const backend = await openPGlite();
    cleanups.push(() => backend.close());
    expect(backend.appliedMigrations).toEqual([]);
    const records = await backend.prisma.$queryRaw`SELECT migration_name AS name, checksum FROM _prisma_migrations`;
    expect(records).toEqual(migrations.map(({ name, checksum }) => ({ name, checksum })));
  });
});
