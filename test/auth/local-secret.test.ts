import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LocalSecretError, readLocalSecrets, readOrCreateLocalSecrets } from '../../src/auth/local-secret.js';

let root: string;
let dataDir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'halyard-secret-'));
  dataDir = join(root, 'nested', 'data');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const file = () => join(dataDir, 'token-secret');

/** The one that signs. */
const readOrCreateLocalSecret = async (directory: string) =>
  (await readOrCreateLocalSecrets(directory))[0] as Uint8Array;

it('makes a secret of 32 random bytes that only its owner can read, and finds it again', async () => {
  const secret = await readOrCreateLocalSecret(dataDir);
  const text = (await readFile(file(), 'utf8')).trim();
  expect(Buffer.from(text, 'base64url')).toHaveLength(32);
  expect(new TextDecoder().decode(secret)).toBe(text);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  expect(await readOrCreateLocalSecret(dataDir)).toEqual(secret);
  expect(await readdir(dataDir)).toEqual(['token-secret']);
});

it('differs between directories', async () => {
  const other = await readOrCreateLocalSecret(join(root, 'other'));
  expect(await readOrCreateLocalSecret(dataDir)).not.toEqual(other);
});

it('is one secret for all processes that start at once, in one process and in several', async () => {
  const script = `import { readOrCreateLocalSecrets } from ${JSON.stringify(new URL('../../src/auth/local-secret.ts', import.meta.url).href)};
    process.stdout.write(new TextDecoder().decode((await readOrCreateLocalSecrets(${JSON.stringify(dataDir)}))[0]));`;
  const processes = Array.from({ length: 2 }, () =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]),
  );
  const within = await Promise.all(Array.from({ length: 20 }, () => readOrCreateLocalSecret(dataDir)));
  const secrets = [
    ...within.map(secret => new TextDecoder().decode(secret)),
    ...(await Promise.all(processes)).map(({ stdout }) => stdout),
  ];
  expect(new Set(secrets).size).toBe(1);
  expect(await readdir(dataDir)).toEqual(['token-secret']);
});

it('closes a file that others could read', async () => {
  const secret = await readOrCreateLocalSecret(dataDir);
  await chmod(file(), 0o644);
  expect(await readOrCreateLocalSecret(dataDir)).toEqual(secret);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

it.each(['', 'short', 'x'.repeat(44), `${'a'.repeat(42)}!`])('refuses a damaged file: "%s"', async content => {
  await mkdir(dataDir, { recursive: true });
  await writeFile(file(), content, { mode: 0o600 });
  await expect(readOrCreateLocalSecret(dataDir)).rejects.toThrow(/token-secret is damaged: remove it/);
});

it('refuses a link, and a data directory that is a file', async () => {
  await mkdir(dataDir, { recursive: true });
  await symlink('/dev/zero', file());
  await expect(readOrCreateLocalSecret(dataDir)).rejects.toThrow(/not a plain file/);
  await expect(readOrCreateLocalSecret(join(file(), 'x'))).rejects.toBeInstanceOf(LocalSecretError);
});

it('has several secrets, one a line, the first of which signs', async () => {
  const [first, second] = ['a'.repeat(43), 'b'.repeat(43)];
  await mkdir(dataDir, { recursive: true });
  await writeFile(file(), `${first}\r\n${second}\n`, { mode: 0o600 });
  const secrets = await readOrCreateLocalSecrets(dataDir);
  expect(secrets.map(secret => new TextDecoder().decode(secret))).toEqual([first, second]);
  await writeFile(file(), `${first}\n\n${second}\n`);
  await expect(readLocalSecrets(dataDir)).rejects.toThrow(/damaged/);
});

it('is not made again by a process that has read it', async () => {
  await readOrCreateLocalSecrets(dataDir);
  await rm(file());
  await expect(readLocalSecrets(dataDir)).rejects.toThrow(
    /token-secret is gone: a new secret is made at the next start/,
  );
});
