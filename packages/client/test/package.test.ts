import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from '../../../test/support/package.js';

const folder = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

describe('the package of the client', () => {
  it('contains the build, its manual and its license', async () => {
    const [packed] = JSON.parse(await run('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], folder));
    const sources = readdirSync(join(folder, 'src')).map(file => file.replace(/\.tsx?$/, ''));
    const built = sources.flatMap(name => ['.d.ts', '.js', '.js.map'].map(end => `dist/${name}${end}`));
    const paths = packed.files.map(({ path }: { readonly path: string }) => path);
    expect(paths.sort()).toEqual([...built, 'LICENSE', 'README.md', 'package.json'].sort());
    expect(packed.size).toBeLessThan(80_000);
  });

  it('has no dependencies, and each file imports its neighbours and peers alone', () => {
    expect(manifest.dependencies).toBeUndefined();
    const peers = Object.keys(manifest.peerDependencies);
    for (const file of readdirSync(join(folder, 'dist')).filter(name => name.endsWith('.js'))) {
      const code = readFileSync(join(folder, 'dist', file), 'utf8');
      for (const [, from = ''] of code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
        expect(from.startsWith('./') || peers.some(peer => from === peer || from.startsWith(`${peer}/`)), from).toBe(
          true,
        );
      }
    }
  });

  it('exports what its manual describes', async () => {
    expect(Object.keys(await import('@halyard/client')).sort()).toEqual(['HalyardError', 'createClient']);
    expect(Object.keys(await import('@halyard/client/share'))).toEqual(['share']);
    expect(Object.keys(await import('@halyard/client/ws'))).toEqual(['webSocketTransport']);
    expect(Object.keys(await import('@halyard/client/usage'))).toEqual(['reportUsage']);
    expect(manifest.sideEffects).toBe(false);
  });
});
