import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settings } from '../src/config/settings.js';
import { httpClient } from './support/clients.js';
import { codeBlocks, promisedOutput } from './support/markdown.js';
import { packageRoot, printedBy } from './support/page-examples.js';
import { startTestServer, type TestServer } from './support/server.js';

const run = promisify(execFile);
const readme = readFileSync(new URL('README.md', packageRoot), 'utf8');
const blocks = codeBlocks(readme);

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

describe('the examples in GraphQL, one after the other', () => {
  const examples = blocks.flatMap((block, index) => {
    const following = blocks[index + 1];
    const expected = following?.language === 'json' ? (JSON.parse(following.code) as object) : null;
    return block.language === 'graphql' && block.note !== null ? [{ ...block, expected }] : [];
  });

  it('are many', () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
    expect(new Set(examples.map(({ note }) => note))).toEqual(
      new Set(['as anonymous', 'as user', 'as service', 'as admin']),
    );
  });

  it.each(examples)('$note: $code', async ({ code, note, expected }) => {
    const role = note?.replace('as ', '') as 'anonymous' | 'user' | 'service' | 'admin';
    const { body } = await httpClient(server.url, await server.token(role)).query(code);
    expect(body.errors).toBeUndefined();
    if (expected !== null) expect(body.data).toMatchObject(expected);
  });

  it('subscribe as they say', async () => {
    const example = blocks.find(({ code }) => code.startsWith('subscription'));
    await using client = await server.ws('user');
    await using updates = client.subscribe(example?.code ?? '');
    expect((await updates.next()).data?.viewerFeatures).toMatchObject({ snapshot: true, removed: [] });
  });
});

describe('the examples in TypeScript print what they say', () => {
  it.each(blocks.filter(({ language }) => language === 'ts'))('$code', async ({ code }) => {
    const promised = promisedOutput(code);
    expect(promised.length).toBeGreaterThan(0);
    expect(await printedBy(code)).toBe(promised.join(' '));
  });
});

it('the curl works as it is pasted', async () => {
  const curl = blocks.find(({ code }) => code.startsWith('curl'))?.code ?? '';
  const { stdout } = await run('bash', ['-c', curl.replace('http://127.0.0.1:4000', server.url)]);
  expect(JSON.parse(stdout)).toEqual({ data: { isEnabled: true } });
});

it('the table of settings is that of the code', () => {
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm)].map(match => match.slice(1));
  expect(rows).toEqual(
    settings.map(({ name, default: value, description }) => [
      name,
      value === null ? 'unset' : `\`${value}\``,
      description,
    ]),
  );
});
