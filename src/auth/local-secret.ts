import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, open, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explainFileError, isUnsupported } from '../core/data-directory.js';
import { bounded } from '../core/text.js';

/** The local secret cannot be used. The message says which file and what to do. */
export class LocalSecretError extends Error {
  override readonly name = 'LocalSecretError';
}

const fileName = 'token-secret';
/** Milliseconds that another process may take to write its secret, where files cannot be linked. */
const longestWrite = 2_000;
/** 32 random bytes as base64url text, so that the file's content also serves as `AUTH_JWT_SECRET` on another machine. */
const form = bounded(/^[A-Za-z0-9_-]{43}$/, 43);

/**
 * The secrets that verify tokens where no others are configured, one a line; the first one signs. They are read from the data
 * directory, and one is created there if there is none. Processes that start at the same time agree on it. The file is readable by
 * its owner only; if it was more open, its mode is corrected.
 * @throws LocalSecretError
 */
export function readOrCreateLocalSecrets(dataDir: string): Promise<readonly Uint8Array[]> {
  return explained(dataDir, async path => (await readSecrets(path)) ?? (await createSecret(dataDir, path)));
}

/**
 * The secrets as they are now, for a process that has read them before.
 * @throws LocalSecretError also if the file is gone.
 */
export function readLocalSecrets(dataDir: string): Promise<readonly Uint8Array[]> {
  return explained(dataDir, async path => {
    const secrets = await readSecrets(path);
    if (secrets === null) throw new LocalSecretError(`${path} is gone: a new secret is made at the next start.`);
    return secrets;
  });
}

async function explained(
  dataDir: string,
  read: (path: string) => Promise<readonly string[]>,
): Promise<readonly Uint8Array[]> {
  const path = join(dataDir, fileName);
  try {
    const encoder = new TextEncoder();
    return (await read(path)).map(secret => encoder.encode(secret));
  } catch (error) {
    if (error instanceof LocalSecretError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LocalSecretError(
      `The secret for tokens, ${path}, cannot be read or made: ${reason}. ${explainFileError(error, dataDir) ?? ''}`.trim(),
      { cause: error },
    );
  }
}

async function readSecrets(path: string): Promise<readonly string[] | null> {
  const stats = await lstat(path).catch(error => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (stats === null) return null;
  if (!stats.isFile()) {
    throw new LocalSecretError(`${path} is not a plain file: remove it, and a new secret is made at the next start.`);
  }
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
    // On a file system without modes, its mount options decide who can read the file.
    await chmod(path, 0o600).catch(error => {
      if (!isUnsupported(error)) throw error;
    });
  }
  const secrets = (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map(line => line.trim());
  if (!secrets.every(secret => form.test(secret))) {
    throw new LocalSecretError(`${path} is damaged: remove it, and a new secret is made at the next start.`);
  }
  return secrets;
}

async function createSecret(dataDir: string, path: string): Promise<readonly string[]> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString('base64url')}\n`);
    await file.sync();
    // Unlike a rename, a link never replaces a file: the second process uses the secret of the first.
    await link(draft, path).catch(async error => {
      if (error.code === 'EEXIST') return;
      if (!isUnsupported(error)) throw error;
      await copyExclusively(draft, path);
    });
  } finally {
    await file.close();
    await unlink(draft);
  }
  const secrets = await readSecrets(path);
  if (secrets === null) throw new LocalSecretError(`${path} was removed while it was being made.`);
  return secrets;
}

/** For file systems without hard links. The second process waits until the first has written the whole secret. */
async function copyExclusively(draft: string, path: string): Promise<void> {
  const text = await readFile(draft, 'utf8');
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    for (let wait = 0; wait < longestWrite && (await stat(path)).size < text.length; wait += 10) await sleep(10);
  }
}
