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
 * Whether there is a database in a data directory. Anything else in its place, or an incomplete database, may be what somebody needs: it is
 * refused, and stays as it is.
 *
 * PostgreSQL would open a database that lacks a folder, because it was copied in part or a volume is not mounted: it replays the last
 * changes into a folder that it makes, and does not keep them elsewhere. They are lost when the right folder is back.
 * @throws DataDirectoryError in these cases, and if this user may not use a part of the database.
 */
export async function hasDatabase(dataDir: string): Promise<boolean> {
  const folder = folderOf(dataDir);
  const found = await lstat(folder).catch(unlessAbsent);
  if (found === undefined) return false;
  if (found.isSymbolicLink()) throw new DataDirectoryError(isLink(folder));
  if (!found.isDirectory()) throw new DataDirectoryError(noFolder(folder));
  const names = await readdir(folder).catch(error => {
    throw explained(error, folder, folder);
  });
  if (names.length === 0) return false;
  if (!names.includes('PG_VERSION')) throw new DataDirectoryError(noDatabase(folder));
  const isUsable = (path: string) => access(path, constants.R_OK | constants.W_OK).then(() => true);
  const isFilled = async (path: string) => (await readdir(path)).length > 0;
  const missing = await Promise.all([
    ...files.map(name => missingIn(folder, name, isUsable)),
    ...filled.map(name => missingIn(folder, name, isFilled)),
  ]);
  if (missing.some(name => name !== null)) throw new DataDirectoryError(incomplete(folder, missing));
  return true;
}

/** The name of a part of the database if it is missing, or else null. */
async function missingIn(folder: string, name: string, isThere: (path: string) => Promise<boolean>) {
  const path = join(folder, name);
  try {
    return (await isThere(path)) ? null : name;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return name;
    throw explained(error, folder, path);
  }
}

/** The error, in words if this user may not use a part of the database. */
function explained(error: unknown, folder: string, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EACCES' && code !== 'EPERM') return error;
  return new DataDirectoryError(
    `${path} may not be read and written by this user (${code}). Give ${folder} to this user, with all that is in it (chown -R, chmod -R u+rwX).`,
    { cause: error },
  );
}

function unlessAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

const isLink = (folder: string) =>
  `${folder} is a link. The lock is in the data directory, so two processes could open the database behind the link and lose data. Put the folder itself there, or make the data directory a link instead.`;

const noFolder = (folder: string) => `${folder} is not a folder. Nothing was changed: move it away for a new database.`;

const noDatabase = (folder: string) =>
  `The folder ${folder} has files, but not the file PG_VERSION of a database. Nothing was changed in it: restore it from a backup, or move it away for a new database.`;

const incomplete = (folder: string, missing: readonly (string | null)[]) =>
  `The database in ${folder} is incomplete: it lacks ${missing.filter(name => name !== null).join(', ')}. Nothing was changed in it: restore it from a backup with all its folders, mount what belongs there, or move it away for a new database.`;

/** Says that PostgreSQL cannot open a database in which nothing was seen to be missing. */
export function couldNotOpen(folder: string, error: unknown): string {
  const said = error instanceof Error ? error.message.split('\n')[0] : `errno ${(error as { errno?: unknown }).errno}`;
  const reason = said?.endsWith('.') ? said : `${said}.`;
  return `The database in ${folder} could not be opened: ${reason} If it is damaged, lacks folders (empty ones count too) or was made by another version of PostgreSQL, restore it from a backup, or move it away for a new database.`;
}
