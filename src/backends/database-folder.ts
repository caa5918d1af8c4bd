import { constants } from 'node:fs';
import { access, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DataDirectoryError } from '../core/data-directory.js';

/** The files of the database, in the data directory. */
export const folderOf = (dataDir: string) => join(dataDir, 'postgres');

/** The folders of the three databases that every cluster has. */
const databases = ['base/1', 'base/4', 'base/5'];
/** Files that every database has, whatever it holds and however its process ended. */
const files = [
  'PG_VERSION',
  'postgresql.conf',
  'global/pg_control',
  ...['global', ...databases].map(folder => `${folder}/pg_filenode.map`),
];
/** Folders that are never empty. */
const filled = ['pg_wal', 'pg_xact', 'pg_multixact/members', 'pg_multixact/offsets'];

/**
 * Whether there is a database in a data directory. Anything in its place that is none, or not a whole one, may be what somebody needs: it is
 * refused, and stays as it is.
 *
 * Of a database that lacks a folder, because it was copied in part or a volume is not mounted, PostgreSQL would make what it can: it
 * replays the last changes into an empty folder and forgets them. When the folder is back, they are lost.
 * @throws DataDirectoryError
 */
export async function hasDatabase(dataDir: string): Promise<boolean> {
  const folder = folderOf(dataDir);
  const found = await lstat(folder).catch(unlessAbsent);
  if (found === undefined) return false;
  if (found.isSymbolicLink()) throw new DataDirectoryError(isLink(folder));
  if (!found.isDirectory()) throw new DataDirectoryError(noFolder(folder));
  const names = await readdir(folder).catch(denied(folder, folder));
  if (names.length === 0) return false;
  if (!names.includes('PG_VERSION')) throw new DataDirectoryError(noDatabase(folder));
  const missing = (await Promise.all([...files.map(fileIn(folder)), ...filled.map(filledIn(folder))])).flat();
  if (missing.length > 0) throw new DataDirectoryError(notWhole(folder, missing));
  return true;
}

/** Makes a function that looks for a file in a folder. It returns the name if there is none. */
const fileIn = (folder: string) => async (name: string) => {
  const path = join(folder, name);
  const found = await access(path, constants.R_OK | constants.W_OK).then(() => true, absentOr(denied(folder, path)));
  return found === undefined ? [name] : [];
};

/** The same for a folder that has something in it. */
const filledIn = (folder: string) => async (name: string) => {
  const path = join(folder, name);
  const names = await readdir(path).catch(absentOr(denied(folder, path)));
  return names === undefined || names.length === 0 ? [name] : [];
};

function unlessAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

const absentOr = (otherwise: (error: NodeJS.ErrnoException) => never) => (error: NodeJS.ErrnoException) =>
  error.code === 'ENOENT' || error.code === 'ENOTDIR' ? undefined : otherwise(error);

/** Makes a function that throws on: with words, if a part of the database is not for this user. */
const denied = (folder: string, path: string) => (error: NodeJS.ErrnoException) => {
  const { code } = error;
  if (code !== 'EACCES' && code !== 'EPERM') throw error;
  throw new DataDirectoryError(
    `${path} may not be read and written by this user (${code}). Give ${folder} to this user, with all that is in it (chown -R, chmod -R u+rwX).`,
    { cause: error },
  );
};

const isLink = (folder: string) =>
  `${folder} is a link. What it leads to could be opened by two processes at once, and lose data. Put the folder itself there, or make a link of the data directory above it.`;

const noFolder = (folder: string) => `${folder} is not a folder. Nothing was changed: move it away for a new database.`;

const noDatabase = (folder: string) =>
  `The folder ${folder} has files, but not the file PG_VERSION of a database. Nothing was changed in it: restore it from a backup, or move it away for a new database.`;

const notWhole = (folder: string, missing: readonly string[]) =>
  `The database in ${folder} is not whole: it lacks ${missing.join(', ')}. Nothing was changed in it: restore it from a backup with all its folders, mount what belongs there, or move it away for a new database.`;

/** For a database that is whole as far as can be seen, and that PostgreSQL cannot open. */
export function couldNotOpen(folder: string, error: unknown): string {
  const said = error instanceof Error ? error.message.split('\n')[0] : `errno ${(error as { errno?: unknown }).errno}`;
  const reason = said?.endsWith('.') ? said : `${said}.`;
  return `The database in ${folder} could not be opened: ${reason} If it is damaged, not whole (its empty folders count) or of another version of PostgreSQL, restore it from a backup, or move it away for a new database.`;
}
