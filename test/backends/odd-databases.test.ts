import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { newFlag } from '../support/flags.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { queryOnce } from '../support/postgres-server.js';
import { describeContract } from './contract.js';

// Databases as they are found: every default that a server, a database or a role may have otherwise, and every way to name
// a schema. The next one is a row.

interface OddDatabase {
  readonly name: string;
  /** Settings of the role, which owns the database; `$role` and `$database` in them are its name and the database's. */
  readonly sql?: readonly string[];
  /** How the database is made, where its locale matters. */
  readonly locale?: string;
  /** Added to the address. */
  readonly parameters?: string;
  /** The password in the address, as it is written there. */
  readonly password?: string;
  /** Where the tables must be. Default `public`. */
  readonly schema?: string;
}

const set = (name: string, value: string) => `ALTER ROLE "$role" SET ${name} = ${value}`;

const odd: readonly OddDatabase[] = [
  { name: 'DateStyle German', sql: [set('datestyle', `'German'`), set('timezone', `'Asia/Kolkata'`)] },
  { name: 'DateStyle SQL', sql: [set('datestyle', `'SQL, DMY'`), set('intervalstyle', 'iso_8601')] },
  { name: 'DateStyle Postgres', sql: [set('datestyle', `'Postgres'`), set('intervalstyle', 'sql_standard')] },
  { name: 'isolation repeatable read', sql: [set('default_transaction_isolation', `'repeatable read'`)] },
  { name: 'isolation serializable', sql: [set('default_transaction_isolation', `'serializable'`)] },
  { name: 'LC_CTYPE C', locale: `LOCALE_PROVIDER libc LOCALE 'C'` },
  { name: 'a Turkish locale', locale: `LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'` },
  {
    name: 'text forms of before 2010',
    sql: [
      set('bytea_output', `'escape'`),
      set('extra_float_digits', '-15'),
      set('standard_conforming_strings', 'off'),
      set('escape_string_warning', 'off'),
      set('client_encoding', `'LATIN1'`),
    ],
  },
  {
    name: 'short timeouts of everything',
    sql: [
      set('statement_timeout', `'30ms'`),
      set('lock_timeout', `'1ms'`),
      set('idle_session_timeout', `'200ms'`),
      set('idle_in_transaction_session_timeout', `'10ms'`),
      set('transaction_timeout', `'50ms'`),
      set('gin_fuzzy_search_limit', '1'),
    ],
  },
  { name: "a schema of the role's own", sql: ['CREATE SCHEMA "$role" AUTHORIZATION "$role"'], schema: '$role' },
  {
    name: 'a search path of the role',
    sql: ['CREATE SCHEMA app AUTHORIZATION "$role"', set('search_path', 'absent, app, public')],
    schema: 'app',
  },
  {
    name: 'a search path in the options of the address',
    sql: ['CREATE SCHEMA app AUTHORIZATION "$role"'],
    parameters: 'options=-c search_path=app',
    schema: 'app',
  },
  { name: 'a schema with a dash', parameters: 'schema=my-app', schema: 'my-app' },
  { name: 'a schema of many signs', parameters: "schema=My%20'app',%20x%5C%25", schema: "My 'app', x\\%" },
  { name: 'a raw percent sign in the password', password: '100%25%is@#:ok%' },
];

interface Opened {
  readonly backend: DatabaseBackend;
  readonly database: TestDatabase;
  readonly role: string;
  stop(): Promise<void>;
}

async function open({ sql = [], locale, parameters, password }: OddDatabase): Promise<Opened> {
  const database = await createDatabase({ migrated: false, ...(locale === undefined ? {} : { locale }) });
  const role = `${database.name}_role`;
  await database.query(`CREATE ROLE ${role} LOGIN; ALTER DATABASE ${database.name} OWNER TO ${role}`);
  for (const each of sql) await database.query(each.replaceAll('$role', role));
  const credentials = password === undefined ? role : `${role}:${password}`;
  const url = `${database.url.replace('postgres@', `${credentials}@`)}${parameters === undefined ? '' : `&${parameters}`}`;
  const backend = await openDatabase({ url });
  return {
    backend,
    database,
    role,
    stop: async () => {
      await backend.close();
      await database.drop();
      await queryOnce(database.serverUrl, `DROP ROLE ${role}`);
    },
  };
}

describe.each(odd)('a database with $name', row => {
  describeContract('keeps the contract', () => open(row));

  describe('serves', () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open(row);
    });
    afterAll(() => opened.stop());

    it('the reads of admins, times and folded case included', async () => {
      const { backend } = opened;
      const name = 'Übersicht für ID 7';
      const { value: flag } = await backend.createFlag(newFlag('k', { name, description: 'ΣΊΣΥΦΟΣ' }), null);
      const expiresAt = new Date('2031-07-04T12:34:56.789Z');
      const override = { userId: randomUUID(), flagKey: 'k', enabled: true, reason: null, expiresAt };
      const { value } = await backend.setOverride(override, null);
      const { prisma } = backend;
      for (const text of ['übersicht', 'ÜBER', 'id', 'FÜR']) {
        const found = await prisma.featureFlag.findMany({ where: { name: { contains: text, mode: 'insensitive' } } });
        expect(found, text).toEqual([flag]);
      }
      const greek = { description: { contains: 'σίσυφ', mode: 'insensitive' as const } };
      expect(await prisma.featureFlag.count({ where: greek })).toBe(1);
      expect(await prisma.override.findFirst({ where: { expiresAt } })).toEqual(value);
      const logged = await prisma.featureChange.findMany({ where: { userId: override.userId } });
      expect(logged).toMatchObject([{ kind: 'OVERRIDE_SET', after: { expiresAt: expiresAt.toISOString() } }]);
      const members = Array.from({ length: 50 }, () => randomUUID());
      await backend.addToGroup('g', members, null);
      // Found by the index that may be asked to find only a part.
      const entries = await prisma.featureChange.findMany({ where: { userIds: { hasSome: members } } });
      expect(entries).toHaveLength(1);
      await backend.createFlag(newFlag('none', { name: 'a\\b' }), null);
      expect(await prisma.featureFlag.count({ where: { name: 'a\\b' } })).toBe(1);
    });

    it('another hand with another search path, in the schema that is meant', async () => {
      const { backend, database, role } = opened;
      const { revision } = await backend.createFlag(newFlag('by-another-hand'), null);
      const schema = `"${(row.schema ?? 'public').replaceAll('$role', role).replaceAll('"', '""')}"`;
      await database.query(`UPDATE ${schema}.feature_flags SET enabled = true WHERE key = 'by-another-hand'`);
      const { changes } = await backend.changes(revision, 10);
      expect(changes).toMatchObject([{ kind: 'FLAG_UPDATED', flagKey: 'by-another-hand' }]);
      expect((await backend.getFlag('by-another-hand'))?.version).toBe(2);
    });
  });
});
