import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { settings } from '../../src/config/settings.js';
import { evaluationReasons } from '../../src/core/evaluate.js';
import { promisedOutput } from '../support/markdown.js';
import { examplesOf, PageRun, printedBy, readPage } from '../support/page-examples.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { startTestServer, type TestServer } from '../support/server.js';

const page = readPage('docs/from-python.md');
const { blocks } = page;

/** What somebody has who comes from there: one membership counts, one override has expired, one names no flag. */
const before = `
  CREATE TABLE public.feature_flags (id uuid, key text, name text, description text, enabled boolean, percentage integer,
    conditions json, created_at timestamptz, updated_at timestamptz, created_by_id uuid);
  CREATE TABLE public.user_feature_groups (user_id uuid, group_name text, added_at timestamptz, added_by_id uuid);
  CREATE TABLE public.feature_flag_overrides (user_id uuid, flag_key text, enabled boolean, reason text,
    expires_at timestamptz, created_at timestamptz, created_by_id uuid);
  INSERT INTO public.feature_flags VALUES
    (gen_random_uuid(), 'invoices', 'Invoices', NULL, true, NULL, '{"groups": ["accountants"]}', '2020-01-01', '2020-01-02',
      '00000000-0000-4000-8000-00000000000a'),
    (gen_random_uuid(), 'retired', 'Retired', 'Off', false, 10, NULL, '2020-01-01', '2020-01-02', NULL);
  INSERT INTO public.user_feature_groups VALUES
    ('00000000-0000-4000-8000-000000000001', 'accountants', '2020-01-03', '00000000-0000-4000-8000-00000000000b');
  INSERT INTO public.feature_flag_overrides VALUES
    ('00000000-0000-4000-8000-000000000001', 'invoices', false, 'over', '2020-01-04', '2020-01-03', NULL),
    ('00000000-0000-4000-8000-000000000002', 'invoices', true, repeat('x', 600), NULL, '2020-01-03',
      '00000000-0000-4000-8000-00000000000c'),
    ('00000000-0000-4000-8000-000000000002', 'misspelt', true, NULL, NULL, '2020-01-03', NULL);
`;

let database: TestDatabase;
let server: TestServer;
let directory: string;
let run: PageRun;

beforeAll(async () => {
  database = await createDatabase({ migrated: false });
  await database.query(before);
  server = await startTestServer({}, { database: await openDatabase({ url: `${database.url}&schema=halyard` }) });
  directory = await mkdtemp(join(tmpdir(), 'halyard-page-'));
  await mkdir(join(directory, 'src'));
  run = new PageRun(server, directory);
});

afterAll(async () => {
  await run?.[Symbol.asyncDispose]();
  await server?.close();
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

const runnable = ['graphql', 'sh', 'sql'];

describe('the blocks of the page', () => {
  it('are Python, operations, and their answers', () => {
    const known = ['python', 'ts', ...runnable, 'json', 'text'];
    expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
    expect(page.text.match(/^```/gm)).toHaveLength(2 * blocks.length);
  });

  it('has a counterpart to each example in Python', () => {
    const counterparts = blocks.map(({ language }, index) => [language, blocks[index + 1]?.language]);
    const ofPython = counterparts.filter(([language]) => language === 'python');
    expect(ofPython.length).toBeGreaterThanOrEqual(10);
    for (const [, next] of ofPython) expect(['ts', ...runnable]).toContain(next);
  });
});

describe('the examples, one after the other, answer as the page says', () => {
  it.each(examplesOf(page))('$note: $code', async example => {
    const { language, code, expected } = example;
    if (language === 'sql') {
      await database.query(code);
      return;
    }
    const answer = await run.answer(example);
    if (expected?.language === 'json') expect(JSON.parse(answer)).toMatchObject(JSON.parse(expected.code));
    if (expected?.language === 'text') expect(answer.trim()).toBe(expected.code);
  });

  it('moved the flags and their targeting, and nothing else', async () => {
    const { rows } = await database.query(
      `SELECT o.user_id, o.flag_key, length(o.reason) AS reason, o.created_by_id, f.percentage, f.conditions, f.created_by_id AS creator
       FROM halyard.feature_flag_overrides o JOIN halyard.feature_flags f ON f.key = o.flag_key WHERE f.key = 'invoices'`,
    );
    expect(rows).toEqual([
      {
        user_id: '00000000-0000-4000-8000-000000000002',
        flag_key: 'invoices',
        reason: 500,
        created_by_id: '00000000-0000-4000-8000-00000000000c',
        percentage: 100,
        conditions: { groups: ['accountants'] },
        creator: '00000000-0000-4000-8000-00000000000a',
      },
    ]);
    const retired = await database.query(
      "SELECT enabled, percentage, conditions FROM halyard.feature_flags WHERE key = 'retired'",
    );
    expect(retired.rows).toEqual([{ enabled: false, percentage: 10, conditions: {} }]);
  });
});

describe('the examples in TypeScript print the output on the page', () => {
  it.each(blocks.filter(({ language }) => language === 'ts'))('$code', async ({ code }) => {
    const promised = promisedOutput(code);
    expect(promised.length).toBeGreaterThan(0);
    expect(await printedBy(code)).toBe(promised.join(' '));
  });
});

describe('the tables are those of the code', () => {
  it('settings', () => {
    const rows = tableUnder('## Settings').map(([name, , value]) => [name, value]);
    expect(rows.map(([name]) => name)).toEqual([
      '`FEATURE_BACKEND`',
      '`FEATURE_DEFAULT_ENABLED`',
      '`FEATURE_CACHE_TTL`',
    ]);
    const written = settings.map(({ name, default: value }) => [`\`${name}\``, `\`${value}\``]);
    expect(written).toEqual(expect.arrayContaining(rows));
  });

  it('tables and columns', async () => {
    const { rows } = await database.query(
      `SELECT table_name, column_name FROM information_schema.columns
       WHERE table_schema = 'halyard' AND table_name NOT LIKE '%migrations'`,
    );
    const actual = rows.map(row => `${row.table_name}.${row.column_name}`);
    const written = tableUnder('## Tables').flatMap(([table, known, added]) =>
      codesIn(`${known} ${added}`).map(column => `${codesIn(table)[0]}.${column}`),
    );
    expect(written.sort()).toEqual(actual.sort());

    const old = await database.query(
      "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'",
    );
    const asBefore = tableUnder('## Tables').flatMap(([table, known]) =>
      codesIn(known).map(column => `${codesIn(table)[0]}.${column}`),
    );
    expect(asBefore.sort()).toEqual(old.rows.map(row => `${row.table_name}.${row.column_name}`).sort());
  });

  it('reasons', () => {
    const written = tableUnder('## Evaluation order').flatMap(([, , here]) => codesIn(here));
    expect(written.sort()).toEqual([...evaluationReasons].sort());
  });
});

/** The cells of the first table under a heading, without its head. */
function tableUnder(heading: string): string[][] {
  const section = page.text.slice(page.text.indexOf(`\n${heading}\n`));
  const table = /(?:^\|.*\n)+/m.exec(section)?.[0] ?? '';
  const rows = table.trimEnd().split('\n').slice(2);
  return rows.map(row =>
    row
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  );
}

function codesIn(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(match => match[1] ?? '');
}
