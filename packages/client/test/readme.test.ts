import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, promisedOutput } from '../../../test/support/markdown.js';
import { compile, resolutions, root, run, writeProgram } from '../../../test/support/package.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';

const folder = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(folder, 'README.md'), 'utf8');
const source = (file: string) => readFileSync(join(folder, 'src', file), 'utf8');
const blocks = codeBlocks(readme).filter(({ language }) => language.startsWith('ts'));
/** What the README of the server shows of a page. */
const pages = codeBlocks(readFileSync(join(root, 'README.md'), 'utf8')).filter(({ language }) => language === 'tsx');

let project: string;
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'halyard-client-readme-'));
  await symlink(join(root, 'node_modules'), join(project, 'node_modules'));
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
});
afterAll(() => rm(project, { recursive: true, force: true }));

describe('the README of the client', () => {
  it.each(resolutions)('has examples with types for $moduleResolution', async resolution => {
    expect(pages).not.toEqual([]);
    for (const [index, { code, language }] of [...blocks, ...pages].entries()) {
      await writeFile(join(project, `example-${index}.${language}`), `${code}\nexport {};\n`);
    }
    const options = { ...resolution, lib: ['es2022', 'dom'], types: [], jsx: 'react-jsx', skipLibCheck: false };
    expect(await compile(project, ['example-*.ts', 'example-*.tsx'], options)).toEqual([]);
  });

  describe('has examples that', () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startTestServer();
      const { management } = server.service;
      await management.createFlag({ key: 'new_checkout', name: 'New checkout', enabled: true });
      await management.createFlag({
        key: 'theme',
        name: 'Theme',
        enabled: true,
        type: 'STRING',
        variants: [{ key: 'dark', value: 'dark', weight: 1 }],
        offVariant: 'dark',
      });
    });
    afterAll(() => server.close());

    const programs = blocks.filter(({ note }) => note === 'runs').map(({ code }, index) => ({ code, index }));
    it.each(programs)('run as they say: $index', async ({ code, index }) => {
      await writeProgram(project, `program-${index}`, code.replaceAll('https://flags.example.com', server.url));
      const output = await run(process.execPath, [`program-${index}.js`], project);
      expect(promisedOutput(code).length).toBeGreaterThan(0);
      // A listener prints as well.
      expect(output.trim().split('\n').slice(-promisedOutput(code).length)).toEqual(promisedOutput(code));
    });
  });

  it('lists every option', () => {
    const options = /export interface Options \{(.*?)\n\}/s.exec(source('types.ts'))?.[1] ?? '';
    const names = [...options.matchAll(/^ {2}(?:readonly )?(\w+)[?:(]/gm)].map(([, name]) => name);
    const listed = [...section('Options').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(8);
    expect(listed).toEqual(names);
  });

  it('lists every code of the client', () => {
    // OpenFeature has codes and reasons of its own.
    const files = readdirSync(join(folder, 'src')).filter(name => name !== 'openfeature.ts');
    const codes = new Set(
      files.flatMap(name => [...source(name).matchAll(/'([A-Z]+_[A-Z_]+)'/g)].map(([, code]) => code as string)),
    );
    // Codes of the server, and reasons.
    for (const other of ['FLAG_NOT_FOUND', 'BAD_USER_INPUT']) codes.delete(other);
    for (const code of codes) expect(section('Errors')).toContain(`\`${code}\``);
    expect(codes.size).toBeGreaterThan(8);
  });

  it('lists every status', async () => {
    const types = await readFile(join(folder, 'src/types.ts'), 'utf8');
    const statuses = [...(/type Status = (.*);/.exec(types)?.[1] ?? '').matchAll(/'(\w+)'/g)].map(([, name]) => name);
    expect([...section('Status').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(statuses);
  });
});

function section(title: string): string {
  return readme.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
}
