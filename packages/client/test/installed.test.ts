import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, hasRegistry, install, packClient, resolutions, run } from '../../../test/support/package.js';

const folderOfClient = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(await readFile(join(folderOfClient, 'package.json'), 'utf8'));

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

beforeAll(async () => {
  if (!hasRegistry) return;
  folder = await mkdtemp(join(tmpdir(), 'halyard-package-'));
  project = join(folder, 'page');
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
}, 300_000);

afterAll(async () => {
  if (hasRegistry) await rm(folder, { recursive: true, force: true });
});

describe.runIf(hasRegistry)('the client, packed and installed in an empty project', { timeout: 120_000 }, () => {
  it.each(resolutions)('has types for $moduleResolution', async resolution => {
    const options = { ...resolution, lib: ['es2022', 'dom'], types: [], jsx: 'react-jsx', skipLibCheck: false };
    expect(await compile(project, ['page.tsx'], options)).toEqual([]);
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
