import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks } from '../../../test/support/markdown.js';
import { compile, hasRegistry, install, packClient, resolutions, run } from '../../../test/support/package.js';

const folderOfClient = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(await readFile(join(folderOfClient, 'package.json'), 'utf8'));
const readme = codeBlocks(await readFile(join(folderOfClient, 'README.md'), 'utf8'));
const snippets = readme.filter(({ language, note }) => ['ts', 'tsx'].includes(language) && note !== 'declarations');

/** A page as somebody would begin one. */
const page = `import { createClient } from '@halyard/client';
import { HalyardProvider, useFeature, useValue } from '@halyard/client/react';
import { createRoot } from 'react-dom/client';

const client = createClient({ url: '/graphql', storage: null });

function Checkout() {
  const isNew = useFeature('new_checkout');
  const theme: string = useValue('theme', '#00f');
  return <p style={{ color: theme }}>{isNew ? 'new' : 'old'}</p>;
}

createRoot(document.body).render(<HalyardProvider client={client}><Checkout /></HalyardProvider>);
`;

let folder: string;
let project: string;
let installed: string;

beforeAll(async () => {
  if (!hasRegistry) return;
  folder = await mkdtemp(join(tmpdir(), 'halyard-package-'));
  project = join(folder, 'page');
  installed = join(project, 'node_modules/@halyard/client');
  const tarball = await packClient(folder, manifest.version);
  const packages = [
    'vite@8',
    'react@19',
    'react-dom@19',
    '@types/react@19',
    '@types/react-dom@19',
    '@openfeature/web-sdk@1',
  ];
  await install(project, [tarball, ...packages]);
  await writeFile(join(project, 'page.tsx'), page);
  await writeFile(join(project, 'index.html'), '<body><script type="module" src="./page.tsx"></script></body>');
  for (const [index, { code, language }] of snippets.entries()) {
    await writeFile(join(project, `snippet-${index}.${language}`), `${code}\nexport {};\n`);
  }
}, 300_000);

afterAll(async () => {
  if (hasRegistry) await rm(folder, { recursive: true, force: true });
});

describe.runIf(hasRegistry)('the package of the client', { timeout: 120_000 }, () => {
  it('contains the build and its manual, and depends on nothing', async () => {
    const sources = await filesIn(join(folderOfClient, 'src'));
    const built = sources.flatMap(file => ['.js', '.js.map', '.d.ts'].map(end => `dist/${file.replace(/\.ts$/, end)}`));
    expect(await filesIn(installed)).toEqual([...built, 'LICENSE', 'README.md', 'package.json'].sort());
    expect(manifest.dependencies).toBeUndefined();
  });

  it('imports React and the SDK of OpenFeature only where they are asked for', async () => {
    const imports = new Map<string, string[]>();
    for (const file of (await filesIn(installed)).filter(name => name.endsWith('.js'))) {
      const code = await readFile(join(installed, file), 'utf8');
      const found = [...code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^."'][^"']*)["']/g)].map(
        ([, name = '']) => name,
      );
      if (found.length > 0) imports.set(file, found);
    }
    expect(Object.fromEntries(imports)).toEqual({
      'dist/react.js': ['react'],
      'dist/openfeature.js': ['@openfeature/web-sdk'],
    });
  });

  it.each(resolutions)('has types for $moduleResolution', async resolution => {
    const options = { ...resolution, lib: ['es2022', 'dom'], types: [], jsx: 'react-jsx', skipLibCheck: false };
    expect(snippets.length).toBeGreaterThan(0);
    expect(await compile(project, ['page.tsx', 'snippet-*'], options)).toEqual([]);
  });

  it('is bundled by Vite into a page', async () => {
    await run('npx', ['vite', 'build', '--logLevel', 'warn'], project);
    const assets = join(project, 'dist/assets');
    const [script = ''] = await readdir(assets);
    const code = await readFile(join(assets, script));
    // React alone has about 60 kB.
    expect(gzipSync(code).length).toBeLessThan(80_000);
  });

  it('loads in a program without a browser', async () => {
    const code = `import { createClient } from '@halyard/client';
      const client = createClient({ url: 'http://127.0.0.1:9', storage: null });
      console.log(client.isEnabled('a', true), client.status);
      client.close();
      console.log(client.status);`;
    expect(await run(process.execPath, ['--input-type=module', '--eval', code], project)).toBe(
      'true connecting\nclosed\n',
    );
  });
});

/** The paths of all files, with slashes, sorted. */
async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}
