import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { settings } from '../../src/config/settings.js';
import { evaluationReasons } from '../../src/core/evaluate.js';
import { httpClient } from '../support/clients.js';
import { codeBlocks, promisedOutput } from '../support/markdown.js';
import { packageRoot, printedBy } from '../support/page-examples.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { startTestServer, type TestRole, type TestServer } from '../support/server.js';

const page = readFileSync(new URL('docs/from-python.md', packageRoot), 'utf8');
const blocks = codeBlocks(page);

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

beforeAll(async () => {
  database = await createDatabase({ migrated: false });
  await database.query(before);
  server = await startTestServer({}, { database: await openDatabase({ url: `${database.url}&schema=halyard` }) });
  directory = await mkdtemp(join(tmpdir(), 'halyard-page-'));
  await mkdir(join(directory, 'src'));
});

afterAll(async () => {
  await server?.close();
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

const isOutput = (language: string | undefined) => language === 'json' || language === 'text';

/** By language: what each example answers. */
const runs: Record<string, (code: string, note: string | null) => Promise<string>> = {
  async graphql(code, note) {
    const role = roleOf(note);
    if (code.startsWith('subscription')) {
      await using client = await server.ws(role);
      await using updates = client.subscribe(code);
      return JSON.stringify((await updates.next()).data);
    }
    const { body } = await httpClient(server.url, await server.token(role)).query(code);
    expect(body.errors).toBeUndefined();
    return JSON.stringify(body.data);
  },

  async sh(code, note) {
    const command = code
      .replaceAll('http://127.0.0.1:4000', server.url)
      .replace(/^npx halyard/, `'${process.execPath}' '${fileURLToPath(new URL('dist/cli/main.js', packageRoot))}'`);
    const token = note === null ? undefined : await server.token(roleOf(note));
    const env = { ...process.env, ...(token === undefined ? {} : { HALYARD_TOKEN: token }) };
    const { exitCode, output } = await shell(command, { cwd: directory, env });
    expect(exitCode, output).toBe(Number(/ends with (\d)/.exec(note ?? '')?.[1] ?? 0));
    return output;
  },

  async sql(code) {
    await database.query(code);
    return '';
  },
};

describe('what stands in the page', () => {
  it('is Python, what is run, and what that answers', () => {
    const known = ['python', 'ts', ...Object.keys(runs), 'json', 'text'];
    expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
    expect(page.match(/^```/gm)).toHaveLength(2 * blocks.length);
  });

  it('has a counterpart to each example in Python', () => {
    const counterparts = blocks.map(({ language }, index) => [language, blocks[index + 1]?.language]);
    const ofPython = counterparts.filter(([language]) => language === 'python');
    expect(ofPython.length).toBeGreaterThanOrEqual(10);
    for (const [, next] of ofPython) expect(['ts', ...Object.keys(runs)]).toContain(next);
  });
});

describe('the examples, one after the other, answer what they say', () => {
  const examples = blocks.flatMap((block, index) => {
    const following = blocks[index + 1];
    const expected = isOutput(following?.language) ? (following ?? null) : null;
    return block.language in runs ? [{ ...block, expected }] : [];
  });

  it.each(examples)('$note: $code', async ({ language, code, note, expected }) => {
    const answer = await runs[language]?.(code, note);
    if (expected?.language === 'json') expect(JSON.parse(answer ?? '')).toMatchObject(JSON.parse(expected.code));
    if (expected?.language === 'text') expect(answer?.trim()).toBe(expected.code);
  });

  it('moved what counts, and nothing else', async () => {
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

describe('the examples in TypeScript print what they say', () => {
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
  const section = page.slice(page.indexOf(`\n${heading}\n`));
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

function roleOf(note: string | null): TestRole {
  const role = /^as (\w+)/.exec(note ?? '')?.[1];
  if (role === undefined) throw new Error(`An example does not say whose it is: ${note}`);
  return role as TestRole;
}

interface ShellOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

async function shell(command: string, options: ShellOptions): Promise<{ exitCode: number; output: string }> {
  return new Promise(resolve => {
    const child = execFile('bash', ['-c', command], options, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}
