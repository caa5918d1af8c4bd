import { cp, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Compiles the sources, and what tests start as a process of its own, file by file into a new folder. The code finds there
 * all that it looks for around it: packages, migrations, the version and the built console.
 */
export async function compileSources(folder: string): Promise<void> {
  const files = await Promise.all(
    ['src', 'test'].map(async below =>
      (await readdir(join(root, below), { recursive: true }))
        .filter(path => /(?<!\.test|\.d)\.ts$/.test(path))
        .map(path => join(root, below, path)),
    ),
  );
  await build({
    entryPoints: files.flat(),
    outbase: root,
    outdir: folder,
    format: 'esm',
    platform: 'node',
    target: `node${process.versions.node}`,
    logLevel: 'error',
  });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  for (const name of ['node_modules', 'prisma', 'dist']) await symlink(join(root, name), join(folder, name));
}
