import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { run as runCommand } from '../../src/cli/run.js';
import { type DeclaredFlag, declaredTypes, featureTypes } from '../../src/core/feature-types.js';
import type { CreateFlagInput } from '../../src/core/inputs.js';
import { createFeatures } from '../../src/create-features.js';
import { httpClient } from '../support/clients.js';
import { newFlag } from '../support/flags.js';
import { pgliteTemplate } from '../support/pglite.js';
import { createDatabase } from '../support/postgres.js';
import { startTestServer, type TestServer } from '../support/server.js';

let directory: string;
let out: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'halyard-types-'));
  out = join(directory, 'features.d.ts');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const text = { out: '', err: '' };
  const terminal = {
    output: { write: (part: string) => (text.out += part) },
    errors: { write: (part: string) => (text.err += part) },
  };
  const settings = { HALYARD_DATA_DIR: join(directory, 'data'), ...env };
  const code = await runCommand(['types', ...args], terminal, settings);
  return { code, ...text };
}

const declared = (key: string, name = `Flag ${key}`): DeclaredFlag => {
  return { key, name, description: null, type: 'BOOLEAN', variants: [] };
};
const flags = ['new_checkout', 'beta.v2'].map(key => declared(key));

describe('from a server, halyard types', () => {
  let server: TestServer;
  let admin: string;
  let asked: string[];
  beforeAll(async () => {
    server = await startTestServer();
    admin = (await server.token('admin')) as string;
    asked = ['--url', server.url, '--token', admin];
    // More than fit on one page.
    const keys = Array.from({ length: 250 }, (_, index) => `flag_${index}`);
    for (let from = 0; from < keys.length; from += 25) {
      const fields = keys
        .slice(from, from + 25)
        .map(key => `${key}: createFlag(input: { key: "${key}", name: "${key}" }) { __typename }`);
      const { body } = await httpClient(server.url, admin).query(`mutation { ${fields.join('\n')} }`);
      expect(body.errors).toBeUndefined();
    }
  });
  afterAll(() => server.close());

  it('writes all keys, once, and then says that there is nothing to do', async () => {
    const keys = Array.from({ length: 250 }, (_, index) => `flag_${index}`).sort();
    const first = await run(['--out', out, ...asked]);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toContain(`Wrote ${out}: 250 flags.\n  added: flag_0\n`);
    const written = await readFile(out, 'utf8');
    expect([...declaredTypes(written).keys()]).toEqual(keys);
    expect(written).toBe(featureTypes(keys.map(key => declared(key, key))));
    const { mtimeMs } = await stat(out);
    expect(await run(['--out', out, ...asked])).toEqual({
      code: 0,
      out: `${out} is up to date: 250 flags.\n`,
      err: '',
    });
    expect((await stat(out)).mtimeMs).toBe(mtimeMs);
    expect(await readdir(directory)).toEqual(['features.d.ts']);
  });

  it('writes the types of values, also of the most flags on a page with the most variants', async () => {
    await using own = await startTestServer();
    const token = (await own.token('admin')) as string;
    const { management } = own.service;
    const variants = Array.from({ length: 100 }, (_, index) => ({ key: `v${index}`, value: `${index}`, weight: 1 }));
    const all: CreateFlagInput[] = [
      ...Array.from({ length: 98 }, (_, index) => ({
        key: `many_${index}`,
        name: 'M',
        type: 'STRING' as const,
        variants,
        offVariant: 'v0',
      })),
      { key: 'theme', name: 'T', type: 'STRING', variants: variants.slice(0, 2), offVariant: 'v0' },
      {
        key: 'limits',
        name: 'L',
        type: 'OBJECT',
        variants: [{ key: 'a', value: { a: 1 }, weight: 1 }],
        offVariant: 'a',
      },
      { key: 'size', name: 'S', type: 'NUMBER', variants: [{ key: 'a', value: 1, weight: 1 }], offVariant: 'a' },
      { key: 'plain', name: 'P' },
    ];
    for (const flag of all) await management.createFlag(flag);
    expect(await run(['--out', out, '--url', own.url, '--token', token])).toMatchObject({ code: 0, err: '' });
    const types = declaredTypes(await readFile(out, 'utf8'));
    expect(types.size).toBe(102);
    expect(Object.fromEntries(types)).toMatchObject({
      many_7: 'string',
      theme: '"0" | "1"',
      limits: 'JsonObject',
      size: 'number',
      plain: 'boolean',
    });
  });

  it.each(['', '/', '/graphql', '/graphql/', '/?q=1#top'])('takes the address with "%s" at its end', async end => {
    const { code } = await run(['--out', out, '--url', `${server.url}${end}`], { HALYARD_TOKEN: admin });
    expect(code).toBe(0);
  });

  it('needs no settings of the server', async () => {
    const wrong = { PORT: 'http', NODE_ENV: 'production', DATABASE_URL: 'nowhere' };
    expect(await run(['--out', out, ...asked], wrong)).toMatchObject({ code: 0, err: '' });
  });

  it('says that it needs an admin token', async () => {
    const user = (await server.token('user')) as string;
    const service = (await server.token('service')) as string;
    const to = (...args: string[]) => run(['--out', out, '--url', server.url, ...args]);
    expect((await to()).err).toMatch(
      /^No token was given, .* only for readers and admins: .*--token or HALYARD_TOKEN\.\n$/,
    );
    expect((await to('--token', 'none')).err).toMatch(/^The server refuses the token: .+\.\n$/);
    for (const token of [user, service]) {
      expect(await to('--token', token)).toEqual({
        code: 1,
        out: '',
        err: 'The token is not of a reader or an admin: create one with "halyard token --reader".\n',
      });
    }
    const odd = await to('--token', 'a\nb');
    expect(odd).toEqual({
      code: 2,
      out: '',
      err: 'The token contains characters that no token has: check --token and HALYARD_TOKEN.\n',
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ['features', '--url is "features", expected an address such as http://127.0.0.1:4000.'],
    ['ftp://127.0.0.1', '--url is "ftp://127.0.0.1", expected an address such as http://127.0.0.1:4000.'],
    [
      'http://u:hunter2@127.0.0.1',
      '--url contains a user or a password, expected an address without them: give a token with --token or HALYARD_TOKEN.',
    ],
  ])('refuses the address %s', async (url, message) => {
    expect(await run(['--out', out, '--url', url])).toEqual({ code: 2, out: '', err: `${message}\n` });
  });

  it('says that no server answers', async () => {
    const gone = await serve(() => {});
    await gone[Symbol.asyncDispose]();
    const { code, err } = await run(['--out', out, '--url', gone.url]);
    expect(code).toBe(1);
    expect(err).toBe(
      `No server answers at ${gone.url}: connect ECONNREFUSED ${gone.url.slice('http://'.length)}. Check --url.\n`,
    );
  });

  describe('and the server is none of ours', () => {
    const pageInfo = { hasNextPage: true, endCursor: 'x' };
    const json = (body: object) => JSON.stringify(body);
    it.each<[string, number, string, RegExp]>([
      ['a web site', 404, '<html>', /is not a Halyard server: check --url/],
      ['a page for everything', 200, '<html>', /is not a Halyard server/],
      ['another GraphQL API', 400, json({ errors: [{ message: 'Cannot query field "flags".' }] }), /is not a Halyard/],
      ['other JSON', 200, json({ hello: 'world' }), /is not a Halyard server/],
      ['a list that never ends', 200, json({ data: { flags: { nodes: [], pageInfo } } }), /is not a Halyard server/],
      [
        'keys that are code',
        200,
        json({ data: { flags: { nodes: [{ key: 'a"; b', name: '', description: null }], pageInfo } } }),
        /is not a Halyard server/,
      ],
      [
        'a server of an earlier version',
        400,
        json({ errors: [{ message: 'Cannot query field "type" on type "Flag".' }] }),
        /has an earlier version, whose flags have no values: update the server, .+\.\n$/,
      ],
      ['a gateway in trouble', 502, 'Bad gateway', /cannot answer now: HTTP 502\.\n$/],
      [
        'a server without its database',
        200,
        json({ data: null, errors: [{ message: 'No database.', extensions: { code: 'UNAVAILABLE' } }] }),
        /cannot answer now: No database\.\n$/,
      ],
      ['a proxy that wants to know who', 401, '', /^The server refuses the token: HTTP 401\.\n$/],
    ])('but %s', async (_, status, body, message) => {
      await using other = await serve((_request, response) => void response.writeHead(status).end(body));
      const { code, out: output, err } = await run(['--out', out, '--url', other.url, '--token', 'abc']);
      expect({ code, output }).toEqual({ code: 1, output: '' });
      expect(err).toMatch(message);
      expect(await readdir(directory)).toEqual([]);
    });
  });
});

describe('from a database, halyard types', () => {
  it('reads PostgreSQL as it is', async () => {
    const database = await createDatabase();
    try {
      const features = await createFeatures({ databaseUrl: database.url });
      for (const { key, name } of flags) await features.createFlag({ key, name });
      const variants = ['b', 'a'].map(value => ({ key: value, value, weight: 1 }));
      await features.createFlag({ key: 'theme', name: 'Flag theme', type: 'STRING', variants, offVariant: 'a' });
      // Another program may store what no type describes.
      await features.createFlag({ key: 'odd', name: 'Flag odd', type: 'STRING', variants, offVariant: 'a' });
      await database.query(`UPDATE feature_flags SET variants = '[null, 7, {"key": "a"}]' WHERE key = 'odd'`);
      await features.close();
      expect(await run(['--out', out], { DATABASE_URL: database.url })).toEqual({
        code: 0,
        out: `Wrote ${out}: 4 flags.\n  added: beta.v2\n  added: new_checkout\n  added: odd\n  added: theme\n`,
        err: '',
      });
      const theme: DeclaredFlag = { ...declared('theme'), type: 'STRING', variants: [{ value: 'a' }, { value: 'b' }] };
      const odd: DeclaredFlag = { ...declared('odd'), type: 'STRING' };
      const written = await readFile(out, 'utf8');
      expect(written).toBe(featureTypes([...flags, theme, odd]));
      expect(Object.fromEntries(declaredTypes(written))).toMatchObject({ theme: '"a" | "b"', odd: 'string' });
    } finally {
      await database.drop();
    }
  });

  it('makes no tables where there are none', async () => {
    const database = await createDatabase({ migrated: false });
    try {
      const { code, err } = await run(['--out', out], { DATABASE_URL: database.url });
      expect(code).toBe(1);
      expect(err).toMatch(
        /^The database does not have the tables of this version: run `halyard migrate`, .*--url\.\n$/,
      );
      const { rows } = await database.query(`SELECT 1 FROM pg_tables WHERE schemaname = 'public'`);
      expect(rows).toEqual([]);
    } finally {
      await database.drop();
    }
  });

  it('makes no database where there is none', async () => {
    const { code, err } = await run(['--out', out]);
    expect(code).toBe(1);
    expect(err).toMatch(/^There is no database in .*data\. Set DATABASE_URL or HALYARD_DATA_DIR\. To ask a server/);
    expect(await readdir(directory)).toEqual([]);
  });

  it('reads an embedded one, unless somebody uses it', async () => {
    const dataDir = join(directory, 'data');
    const database = await openDatabase({ dataDir, templateDump: await pgliteTemplate() });
    try {
      const busy = await run(['--out', out]);
      expect(busy.code).toBe(1);
      expect(busy.err).toBe(
        `The database in ${dataDir} is in use by process ${process.pid}. If this is a server, ask it with --url <its address>; otherwise stop it first.\n`,
      );
      for (const flag of flags) {
        await database.createFlag(newFlag(flag.key, { name: flag.name }), null);
      }
    } finally {
      await database.close();
    }
    expect(await run(['--out', out])).toMatchObject({ code: 0, err: '' });
    expect(await readFile(out, 'utf8')).toBe(featureTypes(flags));
  });

  it('cannot read the memory of another process', async () => {
    const { code, err } = await run(['--out', out], { FEATURE_BACKEND: 'memory' });
    expect(code).toBe(1);
    expect(err).toMatch(/^With FEATURE_BACKEND=memory there is no database to read\. To ask a server .*--url\.\n$/);
  });
});

describe('the file', () => {
  let server: TestServer;
  let asked: string[];
  beforeAll(async () => {
    server = await startTestServer();
    const admin = (await server.token('admin')) as string;
    asked = ['--url', server.url, '--token', admin];
    const fields = flags.map(
      ({ key, name }, index) => `f${index}: createFlag(input: { key: "${key}", name: "${name}" }) { __typename }`,
    );
    await httpClient(server.url, admin).query(`mutation { ${fields.join('\n')} }`);
  });
  afterAll(() => server.close());

  it('--check says that it is up to date, also where a checkout changed the ends of lines', async () => {
    for (const text of [featureTypes(flags), featureTypes(flags).replaceAll('\n', '\r\n')]) {
      await writeFile(out, text);
      const checked = await run(['--out', out, '--check', ...asked]);
      expect(checked).toEqual({ code: 0, out: `${out} is up to date: 2 flags.\n`, err: '' });
      expect(await readFile(out, 'utf8')).toBe(text);
    }
  });

  it.each([
    [featureTypes([declared('gone'), declared('beta.v2')]), ['added: new_checkout', 'removed: gone']],
    [featureTypes([]), ['added: beta.v2', 'added: new_checkout']],
    [featureTypes([...flags, declared('x:y')]), ['removed: x:y']],
    [
      featureTypes(flags.map(each => ({ ...each, description: 'as it was' }))),
      ['The keys and their types are the same, but names, descriptions or the options of the command differ.'],
    ],
    [
      featureTypes([declared('beta.v2'), { ...declared('new_checkout'), type: 'STRING', variants: [{ value: 'a' }] }]),
      ['changed: new_checkout is boolean, was "a"'],
    ],
    [
      featureTypes([declared('gone'), { ...declared('new_checkout'), type: 'NUMBER' }]),
      ['added: beta.v2', 'removed: gone', 'changed: new_checkout is boolean, was number'],
    ],
  ])('--check ends with 1 and says what differs, and writes nothing: %#', async (text, differences) => {
    await writeFile(out, text);
    const checked = await run(['--out', out, '--check', ...asked]);
    const lines = [
      `${out} is out of date: run \`halyard types --out ${out}\`.`,
      ...differences.map(each => `  ${each}`),
    ];
    expect(checked).toEqual({ code: 1, out: '', err: `${lines.join('\n')}\n` });
    expect(await readFile(out, 'utf8')).toBe(text);
    // What it asks for then mends it.
    expect(await run(['--out', out, ...asked])).toMatchObject({ code: 0, err: '' });
    expect(await run(['--out', out, '--check', ...asked])).toMatchObject({ code: 0, err: '' });
  });

  it('declares for the client with --client, which --check then needs too', async () => {
    expect((await run(['--out', out, '--client', '--no-openfeature', ...asked])).code).toBe(0);
    const written = featureTypes(flags, { client: true, openfeature: false });
    expect(await readFile(out, 'utf8')).toBe(written);
    const { code, err } = await run(['--out', out, '--client', '--check', ...asked]);
    expect(code).toBe(1);
    expect(err).toContain(`run \`halyard types --client --out ${out}\``);
  });

  it('--check ends with 1 where it does not exist', async () => {
    const { code, err } = await run(['--out', out, '--check', ...asked]);
    expect(code).toBe(1);
    expect(err).toMatch(/features\.d\.ts does not exist: run `halyard types --out .*`\.\n {2}added: beta\.v2\n/);
    expect(await readdir(directory)).toEqual([]);
  });

  it('is never a file that another program wrote', async () => {
    await writeFile(out, 'export const work = 1;\n');
    const { code, err } = await run(['--out', out, ...asked]);
    expect(code).toBe(1);
    expect(err).toBe(`${out} was not written by \`halyard types\`: give another file, or delete this one.\n`);
    expect(await readFile(out, 'utf8')).toBe('export const work = 1;\n');
  });

  it('makes no directory, and leaves nothing behind where it cannot be written', async () => {
    await mkdir(out);
    expect((await run(['--out', out, ...asked])).err).toBe(
      `Cannot read ${out}: it is a directory, so give the name of a file.\n`,
    );
    const below = join(directory, 'src', 'features.d.ts');
    expect(await run(['--out', below, ...asked])).toEqual({
      code: 1,
      out: '',
      err: `Cannot write ${below}: its directory does not exist, so create it first.\n`,
    });
    expect(await readdir(directory)).toEqual(['features.d.ts']);
  });
});

describe('halyard types', () => {
  it('helps', async () => {
    const { code, out: text } = await run(['--help']);
    expect(code).toBe(0);
    for (const word of ['--out', '--url', '--token', '--check', 'HALYARD_TOKEN', 'DATABASE_URL']) {
      expect(text).toContain(word);
    }
  });

  it.each([
    [[], /required option '--out <file>' not specified/],
    [['--out', 'features.d.ts', '--token', 'abc'], /^--token is given without --url: .+\.\n$/],
  ])('says what is wrong with %s and ends with 2', async (args, message) => {
    const { code, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});

async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server: Server = createServer(listener);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
