/** The data directory cannot be used. The message says which, why, and what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** The fault of a directory and its remedy, by the error code of the operating system. */
const faults: Readonly<Record<string, readonly [fault: string, remedy: string]>> = {
  EACCES: ['may not be read and written by this user', 'Give it to this user (chown, chmod u+rwx)'],
  EPERM: ['may not be read and written by this user', 'Give it to this user (chown, chmod u+rwx)'],
  EROFS: ['is on a read-only file system', 'Mount it writable'],
  ENOSPC: ['is on a file system that has no room left', 'Make room there'],
  EDQUOT: ['has used up the quota of this user', 'Make room there'],
  ENOTDIR: ['is not a directory', 'Move away the file that is in its place'],
  EEXIST: ['is not a directory', 'Move away the file that is in its place'],
  ELOOP: ['is a link that leads to itself', 'Remove the link'],
  ENAMETOOLONG: ['has too long a name', 'Shorten it'],
};

/** The same codes by the numbers in the errors of PostgreSQL in WebAssembly, which have no text. */
const codes: Readonly<Record<number, string>> = {
  ...{ 2: 'EACCES', 19: 'EDQUOT', 32: 'ELOOP', 37: 'ENAMETOOLONG', 51: 'ENOSPC', 63: 'EPERM', 69: 'EROFS' },
};

/** Explains a failure to read or write the data directory. Null when the error has another cause. */
export function explainFileError(error: unknown, directory: string): string | null {
  const { name, code, errno } = error as { name?: unknown; code?: unknown; errno?: unknown };
  const known = typeof code === 'string' ? code : name === 'ErrnoError' ? codes[errno as number] : undefined;
  const fault = known === undefined ? undefined : faults[known];
  if (fault === undefined) return null;
  return (
    `The data directory ${directory} ${fault[0]} (${known}). ${fault[1]}, or name another directory (HALYARD_DATA_DIR), or ` +
    'use a PostgreSQL server (DATABASE_URL) with a secret of your own (AUTH_JWT_SECRET), and no data directory is needed.'
  );
}

/** Whether the error means that the file system lacks a function, such as hard links or sockets. */
export function isUnsupported(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as { code?: string }).code ?? '');
}
