import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { DirectoryLockedError, lockDirectory } from '../../src/backends/directory-lock.js';
import { pgliteTemplate } from '../support/pglite.js';

let root: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  await rm(root, { recursive: true, force: true });
});

interface Holder {
  readonly child: ChildProcess;
  /** What it said: `held`, or `refused` and why. */
  readonly outcome: string;
}

/** A process of its own that takes the lock. */
async function holder(directory: string): Promise<Holder> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/lock-holder.ts', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [outcome] = (await once(createInterface(child.stdout as NodeJS.ReadableStream), 'line')) as [string];
  return { child, outcome };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

const deep = () => join(root, ...Array.from({ length: 12 }, (_, i) => `a-rather-long-directory-name-${i}`));

describe.each([
  ['a directory', () => join(root, 'data')],
  ['a directory whose path is longer than that of a socket may be', deep],
])('the lock of %s', (_, path) => {
  it('is taken, refused to a second taker, and free again after its release', async () => {
    const directory = path();
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryLockedError);
    await lock.release();
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
    await (await lockDirectory(directory)).release();
  });

  it('is refused while another process lives, and taken over at once when it was killed', async () => {
    const directory = path();
    const { child, outcome } = await holder(directory);
    expect(outcome).toBe('held');
    const refusal = await lockDirectory(directory).catch(e => e);
    expect(refusal).toBeInstanceOf(DirectoryLockedError);
    expect(refusal.holder).toEqual({ pid: child.pid, host: hostname(), since: expect.stringMatching(/^20.*Z$/) });
    for (const part of [`process ${child.pid} `, hostname(), directory, 'HALYARD_DATA_DIR', 'DATABASE_URL']) {
      expect(refusal.message).toContain(part);
    }
    await kill(child);
    const lock = await lockDirectory(directory);
    expect(await readdir(directory)).toHaveLength(1);
    await lock.release();
  });
});

describe('the lock', () => {
  it('makes the directory readable only to its owner', async () => {
    const lock = await lockDirectory(join(root, 'new'));
    expect((await stat(join(root, 'new'))).mode & 0o777).toBe(0o700);
    await lock.release();
  });

  it('goes to exactly one of many that come at once, also over the remains of a dead one', async () => {
    const directory = join(root, 'data');
    const dead = await holder(directory);
    await kill(dead.child);
    const rivals = await Promise.all(Array.from({ length: 4 }, () => holder(directory)));
    expect(rivals.map(({ outcome }) => outcome.split(' ')[0]).sort()).toEqual([
      'held',
      'refused',
      'refused',
      'refused',
    ]);
    const winner = rivals.find(({ outcome }) => outcome === 'held');
    for (const { outcome } of rivals) {
      if (outcome !== 'held') expect(outcome).toContain(`process ${winner?.child.pid} `);
    }
  });

  it('goes to exactly one of many claims inside one process, round after round', async () => {
    const directory = join(root, 'data');
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => lockDirectory(directory)));
      const won = outcomes.filter(outcome => outcome.status === 'fulfilled');
      expect(won).toHaveLength(1);
      await won[0]?.value.release();
    }
    expect(await readdir(directory)).toEqual([]);
  });

  it('counts a holder that lives but does not answer as one', async () => {
    const directory = join(root, 'data');
    await mkdir(directory);
    const silent = createServer();
    const name = 'lock-00000000-0000-4000-8000-000000000000.sock';
    silent.listen(join(directory, name));
    await once(silent, 'listening');
    await expect(lockDirectory(directory)).rejects.toThrow(
      `another process, which does not answer (if there is none, remove its lock ${join(directory, name)})`,
    );
    silent.close();
  });

  it('keeps a second process from an embedded database, and lets go when the database closes', async () => {
    const directory = join(root, 'data');
    const database = await openDatabase({ dataDir: directory, templateDump: await pgliteTemplate() });
    expect((await holder(directory)).outcome).toContain(
      `refused The directory ${directory} is in use by process ${process.pid}`,
    );
    await database.close();
    await (await lockDirectory(directory)).release();
  });
});
