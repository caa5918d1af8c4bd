import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Runs the tests on another version of Node: `npm run test:node -- 24`, or on some files: `npm run test:node -- 24 test/core`.
// The binaries of Node are npm packages. They are kept below node_modules, and are no dependency.

const root = fileURLToPath(new URL('..', import.meta.url));
const [version = '', ...files] = process.argv.slice(2);

if (/^\d+(\.\d+){0,2}$/.test(version)) process.exitCode = await test(install());
else {
  console.error(`Expected a version of Node such as 24 or 22.23.3, got "${version}": npm run test:node -- 24`);
  process.exitCode = 2;
}

/** @returns the path of the binary. */
function install(): string {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = join(root, 'node_modules', '.cache', `node-${version}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`];
  // npm is a script of its own on Windows, which only a shell starts.
  execFileSync('npm', args, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });
  return join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/** Runs vitest with this binary; what the tests start by name runs on it too. */
async function test(node: string): Promise<number> {
  console.log(`Node.js ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
  const vitest = fileURLToPath(new URL('vitest.mjs', import.meta.resolve('vitest/package.json')));
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` };
  const [code] = await once(spawn(node, [vitest, 'run', ...files], { cwd: root, env, stdio: 'inherit' }), 'exit');
  return code ?? 1;
}
