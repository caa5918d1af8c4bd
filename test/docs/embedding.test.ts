import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasRegistry, install, root, run } from '../support/package.js';
import { readPage } from '../support/page-examples.js';

const { blocks } = readPage('docs/embedding.md');
const require = createRequire(import.meta.url);

function block(note: string): string {
  const found = blocks.find(block => block.note === note);
  if (found === undefined) throw new Error(`docs/embedding.md has no block with the note "${note}".`);
  return found.code;
}

/** A folder with these blocks of the page as files, and with this package as it was built. */
async function makeProject(type: 'module' | 'commonjs', files: readonly string[]): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), 'halyard-embedding-'));
  onTestFinished(() => rm(project, { recursive: true, force: true }));
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type }));
  for (const file of files) await writeFile(join(project, file), block(file));
  return project;
}

async function link(project: string, names: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const [name, target] of Object.entries({ halyard: root, ...names })) {
    await mkdir(dirname(join(project, 'node_modules', name)), { recursive: true });
    await symlink(target, join(project, 'node_modules', name));
  }
}

const flags = '{ new_checkout: true }\n';

describe('docs/embedding.md', { timeout: 120_000 }, () => {
  it('compiles and runs as CommonJS', async () => {
    const project = await makeProject('commonjs', ['tsconfig.json', 'commonjs.ts']);
    await link(project, { '@types/node': join(root, 'node_modules/@types/node') });
    await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', '.', '--skipLibCheck'], project);
    expect(await run(process.execPath, ['commonjs.js'], project)).toBe(flags);
  });

  const esbuild = (project: string, args: readonly string[]) =>
    run(process.execPath, [join(dirname(require.resolve('esbuild/package.json')), 'bin/esbuild'), ...args], project);

  it('opens a database from a bundle that leaves Halyard out', async () => {
    const project = await makeProject('module', ['program.ts']);
    await link(project);
    await esbuild(project, block('bundle').split(' ').slice(2));
    expect(await run(process.execPath, ['program.mjs'], project)).toBe(flags);
  });

  it('runs in memory from a bundle that holds all of it', async () => {
    const project = await makeProject('module', ['commonjs.ts']);
    await link(project);
    await esbuild(project, ['commonjs.ts', '--bundle', '--platform=node', '--format=esm', '--outfile=whole.mjs']);
    await rm(join(project, 'node_modules'), { recursive: true });
    expect(await run(process.execPath, ['whole.mjs'], project)).toBe(flags);
  });

  it.runIf(hasRegistry)('is tested with Jest', { timeout: 300_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'halyard-jest-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const project = join(folder, 'app');
    await install(project, ['jest@30']);
    await link(project);
    await writeFile(join(project, 'checkout.test.js'), block('checkout.test.js'));
    await expect(run('bash', ['-c', block('jest')], project)).resolves.toBeDefined();
    // Without the flag it fails: so it was Jest that ran.
    await expect(run('npx', ['jest'], project)).rejects.toThrow('checkout.test.js');
  });
});
