import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { DirectoryLockedError, lockDirectory } from '../../src/backends/directory-lock.js';
import { initialContent, makeInitialContent } from '../../src/backends/initial-content.js';
import { DataDirectoryError } from '../../src/core/data-directory.js';
import { type Log, silentLog } from '../../src/core/log.js';
import { compiled } from '../support/compiled.js';
import { newFlag } from '../support/flags.js';
import { until } from '../support/wait.js';

// Data directories as they are found.

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'halyard-data-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const undo of undos.splice(0).reverse()) await undo();
  await rm(root, { recursive: true, force: true });
});
const undos: (() => unknown)[] = [];

/** Whether a small file system can be mounted here, as in a container of its own. */
function mount(options: string, path: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'pipe' });
  undos.push(() => execFileSync('umount', ['-l', path], { stdio: 'pipe' }));
}
const canMount = await (async () => {
  const path = await mkdtemp(join(tmpdir(), 'halyard-mount-'));
  try {
    mount('size=64k', path);
    undos.pop()?.();
    return true;
  } catch {
    return false;
  } finally {
    await rm(path, { recursive: true, force: true });
  }
})();

/** Writes until there is no room left. */
async function fill(path: string): Promise<void> {
  await writeFile(path, Buffer.alloc(200_000_000)).catch(() => undefined);
}

async function expectRefusal(dataDir: string, message: RegExp): Promise<void> {
  const opening = openDatabase({ dataDir });
  await expect(opening).rejects.toBeInstanceOf(DataDirectoryError);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.toThrow(`The data directory ${dataDir} `);
}

describe('a data directory', () => {
  it('that is a file, or lies below one, is refused', async () => {
    await writeFile(join(root, 'file'), '');
    await expectRefusal(join(root, 'file'), /is not a directory \(EEXIST\)\. Move away the file/);
    await expectRefusal(join(root, 'file', 'below'), /is not a directory \(ENOTDIR\)/);
  });

  it('that is a link to nowhere, or to itself, is refused', async () => {
    await symlink(join(root, 'unmounted'), join(root, 'data'));
    await expectRefusal(join(root, 'data'), /a link to a folder that is not there\. Mount what it leads to/);
    await symlink(join(root, 'itself'), join(root, 'itself'));
    await expectRefusal(join(root, 'itself'), /is a link that leads to itself \(ELOOP\)\. Remove the link/);
  });

  it('whose path is too long for a socket needs a temporary directory', async () => {
    vi.stubEnv('TMPDIR', join(root, 'absent'));
    undos.push(() => vi.unstubAllEnvs());
    const opening = openDatabase({ dataDir: join(root, 'a'.repeat(100)) });
    await expect(opening).rejects.toBeInstanceOf(DataDirectoryError);
    await expect(opening).rejects.toThrow(`${join(root, 'absent')} cannot be written (ENOENT): set TMPDIR to another`);
  });

  it('that belongs to another user is refused', async () => {
    await chmod(root, 0o555);
    undos.push(() => chmod(root, 0o700));
    // Root may write everywhere; "nobody" is there on every Unix.
    if (process.geteuid?.() === 0) {
      process.seteuid?.(65534);
      undos.push(() => process.seteuid?.(0));
    }
    await expectRefusal(
      join(root, 'data'),
      /may not be read and written by this user \(EACCES\)\. Give it to this user/,
    );
  });

  it.skipIf(!canMount)('on a read-only file system is refused', async () => {
    mount('size=64k,ro', root);
    await expectRefusal(root, /is on a read-only file system \(EROFS\)\. Mount it writable/);
  });

  it.skipIf(!canMount)('without room is refused, and serves once there is some', { timeout: 60_000 }, async () => {
    mount('size=20m', root);
    const dataDir = join(root, 'data');
    await expectRefusal(dataDir, /has no room left \(ENOSPC\)\. Make room there/);
    // Nothing of half a database is left.
    expect(await readdir(dataDir)).toEqual([]);
    execFileSync('mount', ['-o', 'remount,size=500m', root]);
    const backend = await openDatabase({ dataDir });
    undos.push(() => backend.close());
    await backend.createFlag(newFlag('k'), null);
  });

  it.skipIf(!canMount)('that becomes full is read on, and the log says so once', { timeout: 60_000 }, async () => {
    mount('size=64m', root);
    const dataDir = join(root, 'data');
    const warn = vi.fn();
    const backend = await openDatabase({ dataDir, log: { ...silentLog, warn } });
    await backend.createFlag(newFlag('k'), null);
    await fill(join(root, 'fill'));
    const write = (userId: string) => backend.setUserAttributes(userId, { a: userId.repeat(250) }, null);
    const results: string[] = [];
    for (let user = 0; user < 60; user += 1) {
      results.push(
        await write(String(user % 10).repeat(40)).then(
          () => 'written',
          error => error.message,
        ),
      );
    }
    expect(results).toContain('The database has no room for this now. Nothing was changed.');
    expect(await backend.getFlag('k')).toMatchObject({ key: 'k' });
    expect(warn.mock.calls.map(([, message]) => message)).toEqual([
      'The disk of the database is full, so changes are refused. Make room on it.',
    ]);
    await backend.close();
  });

  it.skipIf(!canMount)('that was full when the server started serves once there is room', async () => {
    mount('size=64m', root);
    const dataDir = join(root, 'data');
    await (await openDatabase({ dataDir })).close();
    await fill(join(root, 'fill'));
    await expectRefusal(dataDir, /has no room left \(ENOSPC\)\. Make room there/);
    await rm(join(root, 'fill'));
    const backend = await openDatabase({ dataDir });
    undos.push(() => backend.close());
    await backend.createFlag(newFlag('k'), null);
  });
});

describe('a database', () => {
  const at = (dataDir: string, ...names: string[]) => join(dataDir, 'postgres', ...names);

  /** A data directory as it is when its process is killed, with the flag `k`. */
  async function killed(): Promise<string> {
    const live = join(root, 'live');
    const backend = await openDatabase({ dataDir: live });
    await backend.createFlag(newFlag('k'), null);
    const dataDir = join(root, 'killed');
    await cp(at(live), at(dataDir), { recursive: true });
    await backend.close();
    return dataDir;
  }

  it.each(['base/5', 'base', 'pg_wal', 'pg_xact', 'pg_multixact/offsets', 'global/pg_control'])(
    'that lacks %s is refused and stays as it is, so that nothing is lost when that is back',
    async name => {
      const dataDir = await killed();
      await rename(at(dataDir, name), join(root, 'away'));
      const files = await readdir(at(dataDir), { recursive: true });
      const opening = openDatabase({ dataDir });
      await expect(opening).rejects.toBeInstanceOf(DataDirectoryError);
      await expect(opening).rejects.toThrow(`The database in ${at(dataDir)} is incomplete: it lacks ${name}`);
      expect(await readdir(at(dataDir), { recursive: true })).toEqual(files);
      await rename(join(root, 'away'), at(dataDir, name));
      const backend = await openDatabase({ dataDir });
      undos.push(() => backend.close());
      expect(await backend.getFlag('k')).toMatchObject({ key: 'k' });
    },
  );

  it('that PostgreSQL cannot open is named, with the ways out', async () => {
    const dataDir = await killed();
    await writeFile(at(dataDir, 'global', 'pg_control'), Buffer.alloc(8_192));
    const opening = openDatabase({ dataDir });
    await expect(opening).rejects.toBeInstanceOf(DataDirectoryError);
    await expect(opening).rejects.toThrow(`The database in ${at(dataDir)} could not be opened: `);
    await expect(opening).rejects.toThrow(/restore it from a backup, or move it away for a new database\.$/);
  });
});

describe('a new database', () => {
  const drafts = (names: readonly string[]) => names.filter(name => name.startsWith('postgres-'));

  async function store(dataDir: string): Promise<void> {
    const backend = await openDatabase({ dataDir });
    await backend.createFlag(newFlag('k'), null);
    await backend.close();
  }

  async function expectStored(dataDir: string): Promise<void> {
    const backend = await openDatabase({ dataDir });
    undos.push(() => backend.close());
    expect(await backend.getFlag('k')).toMatchObject({ key: 'k' });
  }

  it('that was killed while it was being made is begun anew', { timeout: 60_000 }, async () => {
    const dataDir = join(root, 'data');
    const env = { ...process.env, HALYARD_DATA_DIR: dataDir, PORT: '0' };
    const program = await compiled('src/cli/main.ts');
    const first = spawn(process.execPath, [program, 'serve'], { cwd: root, env, stdio: 'ignore' });
    const gone = once(first, 'exit');
    await until(() => existsSync(dataDir) && drafts(readdirSync(dataDir)).length > 0, 'it is being made');
    first.kill('SIGKILL');
    await gone;
    await store(dataDir);
    expect(drafts(await readdir(dataDir))).toEqual([]);
  });

  it('that was killed is forgotten when a database has been put beside it', async () => {
    const dataDir = join(root, 'data');
    await store(dataDir);
    await mkdir(join(dataDir, `postgres-${randomUUID()}.new`));
    await expectStored(dataDir);
  });

  it('never takes the place of anything else', async () => {
    const dataDir = join(root, 'data');
    const place = join(dataDir, 'postgres');
    await (await openDatabase({ dataDir })).close();
    await rm(join(place, 'PG_VERSION'));
    const files = await readdir(place);
    await expect(openDatabase({ dataDir })).rejects.toThrow(/has files, but not the file PG_VERSION of a database\./);
    expect(await readdir(place)).toEqual(files);

    await rename(place, join(root, 'elsewhere'));
    await writeFile(place, 'a dump');
    await expect(openDatabase({ dataDir })).rejects.toThrow(
      `${place} is not a folder. Nothing was changed: move it away`,
    );
    expect(await readFile(place, 'utf8')).toBe('a dump');

    for (const target of ['unmounted', 'elsewhere']) {
      await rm(place);
      await symlink(join(root, target), place);
      await expect(openDatabase({ dataDir })).rejects.toThrow(`${place} is a link. The lock is in the data directory`);
      expect(await readlink(place)).toBe(join(root, target));
    }
    expect(drafts(await readdir(dataDir))).toEqual([]);
  });

  it('never takes the place of one that this user may not read', async () => {
    const dataDir = join(root, 'data');
    await store(dataDir);
    await chmod(root, 0o777);
    await chmod(dataDir, 0o777);
    const asOwner = process.geteuid?.() ?? 0;
    // Root may read everything; "nobody" is there on every Unix.
    if (asOwner === 0) process.seteuid?.(65534);
    else await chmod(join(dataDir, 'postgres'), 0);
    const refused = await openDatabase({ dataDir }).catch(error => error);
    if (asOwner === 0) process.seteuid?.(0);
    else await chmod(join(dataDir, 'postgres'), 0o700);
    expect(refused).toBeInstanceOf(DataDirectoryError);
    expect(refused.message).toContain(`${join(dataDir, 'postgres')} may not be read and written by this user (EACCES)`);
    await expectStored(dataDir);
  });

  it('gets no place where a volume is mounted, and says where it would', { timeout: 60_000 }, async context => {
    if (!canMount) return context.skip();
    const dataDir = join(root, 'data');
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    mount('size=100m', join(dataDir, 'postgres'));
    await expect(openDatabase({ dataDir })).rejects.toThrow(/mount the volume at the data directory above it/);
    expect(await readdir(dataDir)).toEqual(['postgres']);
  });

  it('begins with what the build has made, in which there is nothing of ours', async () => {
    const content = await initialContent();
    expect(content).toBeDefined();
    const database = await PGlite.create(content === undefined ? {} : { loadDataDir: content });
    undos.push(() => database.close());
    const { rows } = await database.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace");
    expect(rows).toEqual([]);
    expect(content?.size).toBe((await content?.arrayBuffer())?.byteLength);
  });

  it('is made by PGlite where the build has made nothing', async () => {
    expect(await initialContent(join(root, 'absent'))).toBeUndefined();
  });

  it('is not begun with a damaged file, which the next build makes anew', async () => {
    const file = join(root, 'damaged');
    await writeFile(file, '');
    await expect(initialContent(file)).rejects.toThrow(`${file} is damaged, or may not be read`);
    await makeInitialContent(file);
    expect((await initialContent(file))?.size).toBeGreaterThan(10_000_000);
    expect(await readdir(root)).toEqual(['damaged']);
  }, 60_000);
});

describe('a data directory on a file system without sockets', () => {
  /** Sockets cannot be made there, as on a USB stick or a folder that a virtual machine shares. */
  function withoutSockets(directory: string, code: string): void {
    const listen = Server.prototype.listen;
    vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
      if (typeof args[0] !== 'string' || !args[0].startsWith(directory)) return Reflect.apply(listen, this, args);
      const error = Object.assign(new Error(`listen ${code}: ${args[0]}`), { code });
      setImmediate(() => this.emit('error', error));
      return this;
    });
  }

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP'])('is locked all the same, elsewhere: %s', async code => {
    withoutSockets(root, code);
    const lock = await lockDirectory(root);
    const refusal = await lockDirectory(root).catch(error => error);
    expect(refusal).toBeInstanceOf(DirectoryLockedError);
    expect(refusal.message).toContain(`The directory ${root} is in use by process ${process.pid}`);
    expect(lock.place).not.toBe(root);
    await lock.release();
    expect(await readdir(root)).toEqual([]);
    await (await lockDirectory(root)).release();
    await rm(lock.place, { recursive: true });
  });

  it('has locks of its own, beside those of other directories', async () => {
    withoutSockets(root, 'EPERM');
    const [one, other] = [join(root, 'one'), join(root, 'other')];
    const locks = [await lockDirectory(one), await lockDirectory(other)];
    for (const lock of locks) {
      await lock.release();
      await rm(lock.place, { recursive: true });
    }
  });

  it('starts, and says how far its lock reaches', { timeout: 60_000 }, async () => {
    withoutSockets(root, 'EPERM');
    const warnings: [object, string][] = [];
    const log: Log = { ...silentLog, warn: (fields, said) => void warnings.push([fields, said]) };
    await mkdir(join(root, 'data'));
    const backend = await openDatabase({ dataDir: join(root, 'data'), log });
    await backend.createFlag(newFlag('k'), null);
    await backend.close();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject([
      { directory: join(root, 'data') },
      expect.stringMatching(/has no sockets\. The lock protects it only/),
    ]);
    for (const [fields] of warnings) await rm((fields as { lock: string }).lock, { recursive: true });
  });
});
