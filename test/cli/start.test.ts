import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../src/cli/run.js';
import { compiled } from '../support/compiled.js';
import { env } from '../support/package.js';
import { shared } from '../support/shared.js';
import { until } from '../support/wait.js';

const main = await compiled('src/cli/main.ts');

it('ends at a second signal, also while it still waits for its database', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer(socket => sockets.add(socket.on('error', () => {})));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const child = spawn(process.execPath, [main, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      DATABASE_URL: `postgresql://u:p@127.0.0.1:${port}/d`,
      AUTH_JWT_SECRET: '0123456789abcdef0123456789abcdef',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      errors += text;
    });
    await until(() => sockets.size > 0, 'it asks the database', 60_000);
    child.kill('SIGINT');
    await until(() => output.includes('"Stopping."'), 'it has heard the signal');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    // It would say so if it had waited until the database is given up.
    expect(errors).toBe('');
    expect(output).not.toContain('Halyard is up');
  } finally {
    child.kill('SIGKILL');
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});

it.each([
  { part: /\/postgres\?/, other: '/nowhere?', reason: 'database "nowhere" does not exist' },
  { part: /\/\/[^@]*@/, other: '//stranger@', reason: 'role "stranger" does not exist' },
])('says why PostgreSQL refuses: $reason', async ({ part, other, reason }) => {
  const { url } = await shared<{ url: string }>('/postgres');
  let errors = '';
  const terminal = { output: { write: () => {} }, errors: { write: (text: string) => (errors += text) } };
  expect(await run(['migrate'], terminal, { DATABASE_URL: url.replace(part, other) })).toBe(1);
  expect(errors).toBe(`The database refuses: ${reason}. Check DATABASE_URL.\n`);
});

it('ends at a signal although the reader of its log has gone', async () => {
  const child = spawn(process.execPath, [main, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      FEATURE_BACKEND: 'memory',
      AUTH_JWT_SECRET: '0123456789abcdef0123456789abcdef',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      output += text;
    });
    await until(() => output.includes('Halyard is up'), 'it serves', 60_000);
    child.stdout.destroy();
    await once(child.stdout, 'close');
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});

describe('started by npm, which puts a shell between', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));

  /** A project with the scripts of this one that build nothing, and with what has been built. */
  async function makeProject(): Promise<string> {
    const project = await mkdtemp(join(tmpdir(), 'halyard-npm-'));
    onTestFinished(() => rm(project, { recursive: true, force: true }));
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const manifest = { private: true, scripts: { start: scripts.start } };
    await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
    await symlink(join(root, 'dist'), join(project, 'dist'));
    await mkdir(join(project, 'node_modules/.bin'), { recursive: true });
    // As npm makes it executable when it installs the package.
    const program = `#!/usr/bin/env node\nimport(${JSON.stringify(join(root, 'dist/cli/main.js'))});\n`;
    await writeFile(join(project, 'node_modules/.bin/halyard'), program, { mode: 0o755 });
    return project;
  }

  it.each([
    ['npm', ['start']],
    ['npx', ['halyard', 'serve']],
  ])('the server ends when %s is told to', { timeout: 120_000 }, async (command, args) => {
    const child = spawn(command, args, {
      cwd: await makeProject(),
      env: { ...env, PORT: '0', FEATURE_BACKEND: 'memory' },
      // A group of its own, so that nothing is left behind if this fails.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output += text;
      });
    }
    onTestFinished(() => {
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch {
        // All of them have ended.
      }
    });
    await until(() => output.includes('Halyard is up'), 'the server is up', 60_000);
    child.kill('SIGTERM');
    // The server holds the other ends of the pipes: they close when it has ended too.
    let isClosed = false;
    child.on('close', () => {
      isClosed = true;
    });
    await until(() => isClosed, 'the server has ended', 30_000);
    expect(output).toContain('"reason":"npm, which started this process, has ended","msg":"Stopping."');
    expect(output).toContain('"msg":"Stopped."');
  });
});
