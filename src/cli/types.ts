import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { openDatabase } from '../backends/database.js';
import { DirectoryLockedError } from '../backends/directory-lock.js';
import { sqlState } from '../backends/errors.js';
import { MigrationError } from '../backends/migrate.js';
import { tokenVariable } from '../config/settings.js';
import { readConfig } from '../config.js';
import { type DeclaredFlag, declaredKeys, featureTypes, isFeatureTypes } from '../core/feature-types.js';
import { databaseOptionsOf } from '../server/database-options.js';
import { CommandError, UsageError } from './failure.js';
import { flagsOfServer } from './server-flags.js';

export interface TypesOptions {
  /** The file to write. */
  readonly out: string;
  /** The server to ask, in place of the database. */
  readonly url?: string;
  /** An administrator's. Default: `HALYARD_TOKEN`. */
  readonly token?: string;
  /** Only say whether the file is up to date. */
  readonly check?: true;
}

/**
 * Writes the keys of the flags as TypeScript declarations, or checks that they are written. Returns what was done, for people.
 * @throws UsageError when the options do not fit together.
 * @throws CommandError when the flags cannot be read, the file cannot be written, or is out of date.
 */
export async function types(env: NodeJS.ProcessEnv, options: TypesOptions): Promise<string> {
  const { out, url, check } = options;
  if (url === undefined && options.token !== undefined) throw new UsageError('--token goes with --url.');
  const written = await readWritten(out);
  const token = options.token ?? (env[tokenVariable]?.trim() || undefined);
  const flags = url === undefined ? await flagsOfDatabase(env) : await flagsOfServer(url, token);
  const text = featureTypes(flags);
  const count = flags.length === 1 ? '1 flag' : `${flags.length} flags`;
  // A checkout may have changed the ends of lines.
  if (written?.replaceAll('\r\n', '\n') === text) return `${out} is up to date: ${count}.`;
  const differences = differencesOf(written ?? '', flags);
  if (check) {
    const state = written === null ? 'does not exist' : 'is out of date';
    throw new CommandError([`${out} ${state}: run \`halyard types --out ${out}\`.`, ...differences].join('\n'));
  }
  await writeWhole(out, text);
  return [`Wrote ${out}: ${count}.`, ...differences].join('\n');
}

/** A file that is not ours to overwrite may be somebody's work: a slip of the hand must not cost it. */
async function readWritten(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw cannot('read', file, error);
  });
  if (text === null || text.trim() === '' || isFeatureTypes(text)) return text;
  throw new CommandError(`${file} was not written by \`halyard types\`: name another file, or delete that one.`);
}

function differencesOf(written: string, flags: readonly DeclaredFlag[]): string[] {
  const before = new Set(declaredKeys(written.replaceAll('\r\n', '\n')));
  const now = new Set(flags.map(({ key }) => key));
  const added = [...now].filter(key => !before.has(key)).sort();
  const removed = [...before].filter(key => !now.has(key)).sort();
  if (added.length + removed.length === 0 && written !== '')
    return ['  The keys are the same, names or descriptions are not.'];
  return [...added.map(key => `  added: ${key}`), ...removed.map(key => `  removed: ${key}`)];
}

/** Whoever reads the file meanwhile, such as a compiler that watches it, sees the old one or the new one. */
async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, text, { flag: 'wx' });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw cannot('write', file, error as NodeJS.ErrnoException);
  }
}

function cannot(verb: string, file: string, { code, message }: NodeJS.ErrnoException): CommandError {
  const reasons: Record<string, string> = {
    ENOENT: 'its directory does not exist',
    ENOTDIR: 'its directory does not exist',
    EISDIR: 'it is a directory',
    EACCES: 'that is not permitted',
    EPERM: 'that is not permitted',
    EROFS: 'nothing can be written there',
  };
  return new CommandError(`Cannot ${verb} ${file}: ${reasons[code ?? ''] ?? message}.`);
}

const askServer = 'To ask a server instead, name it with --url.';

/** What a database says that has no tables of ours, or those of another version. */
const otherSchema = /^42(P01|703|883)$/;

async function flagsOfDatabase(env: NodeJS.ProcessEnv): Promise<readonly DeclaredFlag[]> {
  const config = readConfig(env);
  if (config.database.kind === 'memory') {
    throw new CommandError(`With FEATURE_BACKEND=memory there is no database to read. ${askServer}`);
  }
  try {
    const backend = await openDatabase({ ...databaseOptionsOf(config), asItIs: true });
    try {
      return (await backend.definitions()).flags;
    } finally {
      await backend.close();
    }
  } catch (error) {
    if (error instanceof DirectoryLockedError) {
      const holder = error.holder === null ? 'another process' : `process ${error.holder.pid}`;
      throw new CommandError(
        `The database in ${error.directory} is in use by ${holder}. While a server uses it, ask that server: --url <its address>.`,
      );
    }
    if (error instanceof MigrationError) {
      throw new CommandError(`${error.message} Set DATABASE_URL or HALYARD_DATA_DIR. ${askServer}`);
    }
    if (otherSchema.test(sqlState(error) ?? '')) {
      throw new CommandError(
        `The database has no flags of this version. \`halyard migrate\` and the start of a server bring it up to date. ${askServer}`,
      );
    }
    throw error;
  }
}
