import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { run } from '../../src/cli/run.js';
import { shared } from '../support/shared.js';
import { until } from '../support/wait.js';

it('ends at a second signal, also while it still waits for its database', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer(socket => sockets.add(socket.on('error', () => {})));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'serve'], {
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
