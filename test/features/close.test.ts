import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createDatabase } from '../support/postgres.js';

const index = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The options of `createFeatures`, as code. */
const places: Record<string, () => Promise<string>> = {
  'in memory': async () => 'backend: new MemoryBackend()',
  'on an embedded database': async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'halyard-close-'));
    cleanups.push(() => rm(dataDir, { recursive: true, force: true }));
    return `dataDir: ${JSON.stringify(dataDir)}`;
  },
  'on PostgreSQL': async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    return `databaseUrl: ${JSON.stringify(database.url)}`;
  },
};

// No timer keeps the program: what is left ends as soon as its other side has heard of it.
it.each(Object.keys(places))('a program %s ends by itself once it has closed its features', async place => {
  const options = await places[place]?.();
  const program = `
    import { createFeatures, MemoryBackend } from ${index};
    const id = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
    const features = await createFeatures({ ${options} });
    await features.createFlag({ key: 'a', name: 'A', enabled: true });
    await features.setOverride({ userId: id, flagKey: 'a', enabled: false, expiresAt: new Date('2999-01-01') });
    let told = 0;
    await new Promise(resolve => features.watch({ id }, () => { told += 1; resolve(); }));
    features.watch({ id }, () => new Promise(() => {}));
    const taken = features.updates().next();
    await features.for({ id }).getAll();
    await taken;
    await features.close();
    await features.close();
    process.on('exit', () => console.log('ended'));
    const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout');
    console.log('closed ' + told + ', timers ' + timers.length);`;
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cleanups.push(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  expect(output).toBe('closed 1, timers 0\nended\n');
  expect(code).toBe(0);
});
