import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, symlink, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataDirectoryError, isUnsupported } from '../core/data-directory.js';
import { bounded } from '../core/text.js';

// Two processes on one embedded database silently lose rows. The mark of a live holder must end with its process, even after
// kill -9. It must also work between containers that share the directory, where process ids have no meaning. A listening Unix
// socket does both: a connection is accepted while the holder lives, and refused after its death.
//
// Removing a dead socket and binding the same name again would be a race: a second process could remove the socket that the
// first has just bound. So every attempt has a new name that is never used again, and any process may remove a dead socket.
// The order of steps gives the mutual exclusion: a process first shows its own socket and then looks for others. Of two
// processes, the one that looks last sees the other.

/** The process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** The start of the process, as ISO 8601 text. */
  readonly since: string;
}

/** Another process uses the directory. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError';

  constructor(
    readonly directory: string,
    /** Null if the holder lives but does not answer. */
    readonly holder: LockHolder | null,
    /** The path of its lock. */
    lock: string,
  ) {
    super(
      `The directory ${directory} is in use by ${
        holder === null
          ? `another process, which does not answer (if there is none, remove its lock ${lock})`
          : `process ${holder.pid} on host ${holder.host}, running since ${holder.since}`
      }. Two processes on one embedded database would lose data: stop that one, or give this one a directory of its own ` +
        '(HALYARD_DATA_DIR), or let both use a PostgreSQL server (DATABASE_URL).',
    );
  }
}

export interface DirectoryLock {
  /** The directory with the lock: the locked one, or one in the temporary directory if its file system has no sockets. */
  readonly place: string;
  /** Releases the lock. Releasing it twice is harmless. */
  release(): Promise<void>;
}

type LockReply = 'dead' | 'unknown' | (LockHolder & { readonly state: 'trying' | 'held' });

const nameLength = 'lock-'.length + 36 + '.sock'.length;
const lockName = bounded(/^lock-[0-9a-f-]{36}\.sock$/, nameLength);
const draftName = bounded(/^lock-[0-9a-f-]{36}\.new$/, nameLength);
/** Milliseconds to wait for the answer of a holder. A holder with a busy event loop is alive but answers late. */
const answerTimeout = 2_000;
/** The systems limit the path of a socket: to 108 bytes on Linux and 104 on macOS, with a closing zero. */
const longestSocketPath = 100;

/**
 * Takes the lock of a directory. An absent directory is created with mode 0700. The lock is held until `release`, or until the
 * process ends in any way. It works between all processes of one machine, containers included, but not between machines that
 * share a network file system. If the file system of the directory has no sockets, the lock works only between processes that
 * share the temporary directory.
 *
 * @throws DirectoryLockedError when another process has it.
 */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(error => {
    // Folders above that are missing are made, so only a link can lead nowhere.
    throw error.code === 'ENOENT' ? new DataDirectoryError(leadsNowhere(directory), { cause: error }) : error;
  });
  try {
    return await lockAt(directory, directory);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    const name = createHash('sha256')
      .update(await realpath(directory))
      .digest('hex')
      .slice(0, 16);
    const place = join(tmpdir(), `halyard-lock-${name}`);
    await mkdir(place, { recursive: true, mode: 0o700 });
    return lockAt(place, directory);
  }
}

const leadsNowhere = (directory: string) =>
  `The data directory ${directory} is, or is below, a link to a folder that is not there. Mount what it leads to, or name another directory (HALYARD_DATA_DIR).`;

const tooDeep = (directory: string, code: string) =>
  `The path of the data directory ${directory} is too long for a socket, so a link to it is needed in the temporary directory. ${tmpdir()} cannot be written (${code}): set TMPDIR to another directory, or HALYARD_DATA_DIR to a shorter path.`;

/** @param directory the locked directory; the sockets are in `place`. */
async function lockAt(place: string, directory: string): Promise<DirectoryLock> {
  for (;;) {
    const claim = await Claim.make(place);
    try {
      const found = await claim.contest();
      if (found === 'won') return claim;
      if (found !== 'retry') throw new DirectoryLockedError(directory, found.holder, join(place, found.name));
    } catch (error) {
      await claim.release();
      throw error;
    }
    await claim.release();
    await sleep(20 + Math.random() * 80);
  }
}

class Claim implements DirectoryLock {
  #state: 'trying' | 'held' = 'trying';
  #released: Promise<void> | undefined;

  private constructor(
    readonly place: string,
    readonly name: string,
    readonly short: ShortPath,
    readonly server: Server,
  ) {
    server.on('connection', socket => {
      socket.on('error', () => socket.destroy());
      socket.end(JSON.stringify({ ...self, state: this.#state }));
    });
    // A lock alone does not keep a process alive.
    server.unref();
  }

  static async make(place: string): Promise<Claim> {
    const id = `lock-${randomUUID()}`;
    const short = await ShortPath.to(place);
    const server = createServer();
    try {
      await new Promise<void>((done, failed) => {
        server.once('error', failed);
        server.listen(short.join(`${id}.new`), done);
      });
      const claim = new Claim(place, `${id}.sock`, short, server);
      // Between bind and listen a socket looks dead. It gets its final name only after that.
      await rename(join(place, `${id}.new`), join(place, `${id}.sock`));
      return claim;
    } catch (error) {
      server.close();
      await short.release();
      throw error;
    }
  }

  /** Checks every other claim. Returns 'won' if none is alive, the one that holds, or 'retry' to begin again. */
  async contest(): Promise<'won' | 'retry' | { readonly holder: LockHolder | null; readonly name: string }> {
    for (;;) {
      let waiting = false;
      for (const name of await readdir(this.place)) {
        if (draftName.test(name)) await this.#sweep(name);
        if (!lockName.test(name) || name === this.name) continue;
        const answer = await ask(this.short.join(name));
        if (answer === 'dead') await unlink(join(this.place, name)).catch(ignoreAbsence);
        else if (answer === 'unknown') return { holder: null, name };
        else if (answer.state === 'held') {
          return { holder: { pid: answer.pid, host: answer.host, since: answer.since }, name };
        } else if (name < this.name) return 'retry';
        else waiting = true;
      }
      if (!waiting) {
        this.#state = 'held';
        return 'won';
      }
      await sleep(10);
    }
  }

  release(): Promise<void> {
    this.#released ??= (async () => {
      await unlink(join(this.place, this.name)).catch(ignoreAbsence);
      await new Promise<void>(done => this.server.close(() => done()));
      await this.short.release();
    })();
    return this.#released;
  }

  /** Removes the draft of a process that died before its rename. A live process keeps a draft for less than a minute. */
  async #sweep(name: string): Promise<void> {
    const draft = join(this.place, name);
    try {
      if (Date.now() - (await stat(draft)).mtimeMs > 60_000) await unlink(draft);
    } catch (error) {
      ignoreAbsence(error);
    }
  }
}

const self: LockHolder = {
  pid: process.pid,
  host: hostname(),
  since: new Date(performance.timeOrigin).toISOString(),
};

function ask(socketPath: string): Promise<LockReply> {
  return new Promise(answer => {
    let text = '';
    const socket = connect(socketPath);
    const settle = (value: LockReply) => {
      socket.destroy();
      answer(value);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(answerTimeout, () => settle('unknown'));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => settle(parse(text)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      settle(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'dead' : 'unknown'),
    );
  });
}

function parse(text: string): LockReply {
  try {
    return JSON.parse(text) as LockReply;
  } catch {
    return 'unknown';
  }
}

function ignoreAbsence(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

/**
 * The path of a socket has room for about a hundred bytes, and Node silently cuts a longer path. A deep directory is reached
 * through a symbolic link in the temporary directory: the kernel follows the link, so the socket is in the right directory.
 */
class ShortPath {
  private constructor(
    readonly path: string,
    readonly made: string | null,
  ) {}

  static async to(directory: string): Promise<ShortPath> {
    // The longest name below: "/lock-" and a UUID and ".sock".
    if (Buffer.byteLength(directory) + 47 <= longestSocketPath) return new ShortPath(directory, null);
    const made = await mkdtemp(join(tmpdir(), 'halyard-')).catch(error => {
      throw new DataDirectoryError(tooDeep(directory, error.code), { cause: error });
    });
    await symlink(directory, join(made, 'd'));
    return new ShortPath(join(made, 'd'), made);
  }

  join(name: string): string {
    return join(this.path, name);
  }

  async release(): Promise<void> {
    if (this.made !== null) await rm(this.made, { recursive: true, force: true });
  }
}
