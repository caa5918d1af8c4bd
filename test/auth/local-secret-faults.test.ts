import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LocalSecretError, readOrCreateLocalSecrets } from '../../src/auth/local-secret.js';

// File systems as they are found. What they refuse is refused here by Node's own functions.

const refused = vi.hoisted(() => new Map<string, string>());
vi.mock('node:fs/promises', async load => {
  const real = await load<typeof import('node:fs/promises')>();
  const refusing = (name: 'link' | 'chmod' | 'open' | 'mkdir') =>
    ((...args: unknown[]) => {
      const code = refused.get(name);
      if (code !== undefined) return Promise.reject(Object.assign(new Error(`${code}: refused, ${name}`), { code }));
      return (real[name] as (...args: unknown[]) => unknown)(...args);
    }) as never;
  return {
    ...real,
    link: refusing('link'),
    chmod: refusing('chmod'),
    open: refusing('open'),
    mkdir: refusing('mkdir'),
  };
});

let root: string;
let dataDir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'halyard-secret-'));
  dataDir = join(root, 'data');
});
afterEach(async () => {
  refused.clear();
  await rm(root, { recursive: true, force: true });
});

/** The one that signs. */
const readOrCreateLocalSecret = async (directory: string) =>
  (await readOrCreateLocalSecrets(directory))[0] as Uint8Array;

const text = (secret: Uint8Array) => new TextDecoder().decode(secret);

it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])(
  'is one secret for all who start at once on a file system without hard links, which says %s',
  async code => {
    refused.set('link', code);
    const secrets = await Promise.all(Array.from({ length: 20 }, () => readOrCreateLocalSecret(dataDir)));
    expect(new Set(secrets.map(text)).size).toBe(1);
    expect((await readFile(join(dataDir, 'token-secret'), 'utf8')).trim()).toBe(text(secrets[0] as Uint8Array));
    expect(await readdir(dataDir)).toEqual(['token-secret']);
    expect(await readOrCreateLocalSecret(dataDir)).toEqual(secrets[0]);
  },
);

it('is read where files have no modes', async () => {
  const secret = await readOrCreateLocalSecret(dataDir);
  await chmod(join(dataDir, 'token-secret'), 0o644);
  refused.set('chmod', 'EPERM');
  expect(await readOrCreateLocalSecret(dataDir)).toEqual(secret);
});

it.each<[string, 'open' | 'mkdir', RegExp]>([
  [
    'EACCES',
    'mkdir',
    /may not be read and written by this user \(EACCES\)\. Give it to this user \(chown, chmod u\+rwx\), or name another/,
  ],
  [
    'EROFS',
    'open',
    /is on a read-only file system \(EROFS\)\. Mount it writable, or name another directory \(HALYARD_DATA_DIR\)/,
  ],
  ['ENOSPC', 'open', /is on a file system that has no room left \(ENOSPC\)\. Make room there, or name another/],
  ['EDQUOT', 'open', /has used up the quota of this user \(EDQUOT\)/],
])('says what and where when the system says %s', async (code, call, message) => {
  refused.set(call, code);
  const starting = readOrCreateLocalSecret(dataDir);
  await expect(starting).rejects.toBeInstanceOf(LocalSecretError);
  await expect(starting).rejects.toThrow(message);
  await expect(starting).rejects.toThrow(`The data directory ${dataDir} `);
});
