import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { promisedOutput } from './support/markdown.js';
import { examplesOf, PageRun, packageRoot, printedBy, readmePages, readPage } from './support/page-examples.js';
import { startTestServer, type TestServer } from './support/server.js';

const pages = readmePages.map(readPage);

describe.each(pages)('$path', page => {
  const examples = examplesOf(page);
  const programs = page.blocks.filter(({ language }) => language === 'ts');

  it('runs each block in GraphQL and TypeScript, and shows no answer that is not checked', () => {
    const count = (pattern: RegExp) => page.blocks.filter(({ language }) => pattern.test(language)).length;
    expect(examples.filter(({ language }) => language === 'graphql')).toHaveLength(count(/^graphql$/));
    expect(examples.filter(({ expected }) => expected !== null)).toHaveLength(count(/^(json|text)$/));
    expect(page.text.match(/^```/gm)).toHaveLength(2 * page.blocks.length);
  });

  describe.runIf(examples.length > 0)('the examples, one after the other, answer as the page says', () => {
    let server: TestServer;
    let run: PageRun;

    beforeAll(async () => {
      server = await startTestServer();
      run = new PageRun(server);
    });

    afterAll(async () => {
      await run?.[Symbol.asyncDispose]();
      await server?.close();
    });

    it.each(examples)('$note: $code', async example => {
      const answer = await run.answer(example);
      expect(answer).not.toMatch(/"__typename":"\w+Error"/);
      if (example.expected !== null) expect(JSON.parse(answer)).toMatchObject(JSON.parse(example.expected.code));
      // The page shows no answer to its `curl`, which asks the same as the example before it.
      if (example.language === 'sh') expect(JSON.parse(answer)).toEqual({ data: { isEnabled: true } });
    });
  });

  describe.runIf(programs.length > 0)('the examples in TypeScript print the output on the page', () => {
    it.each(programs)('$code', async ({ code }) => {
      const promised = promisedOutput(code);
      expect(promised.length).toBeGreaterThan(0);
      expect(await printedBy(code)).toBe(promised.join(' '));
    });
  });
});

it('there are many examples in GraphQL, for all kinds of callers', () => {
  const inGraphQL = pages.flatMap(examplesOf).filter(({ language }) => language === 'graphql');
  expect(inGraphQL.length).toBeGreaterThanOrEqual(18);
  expect(new Set(inGraphQL.map(({ note }) => note?.replace(', stays open', '')))).toEqual(
    new Set(['as anonymous', 'as user', 'as service', 'as admin']),
  );
  expect(
    pages.flatMap(({ blocks }) => blocks.filter(({ language }) => language === 'ts')).length,
  ).toBeGreaterThanOrEqual(11);
});

it('no page has examples that no test runs', () => {
  const elsewhere = [
    'docs/clients.md',
    'docs/embedding.md',
    'docs/from-python.md',
    'docs/openfeature.md',
    'docs/typed-keys.md',
  ];
  const withExamples = readdirSync(new URL('docs/', packageRoot))
    .filter(name => name.endsWith('.md'))
    .map(name => readPage(`docs/${name}`))
    .filter(({ blocks }) => blocks.some(({ language }) => /^(graphql|tsx?)$/.test(language)));
  expect(withExamples.map(({ path }) => path).filter(path => ![...readmePages, ...elsewhere].includes(path))).toEqual(
    [],
  );
});

it('the README tells how to start and how to test', () => {
  const [readme] = pages;
  expect(readme?.text).toContain('npm ci\nnpm start\n');
  expect(readme?.text).toContain('`npm ci && npm test`');
});
