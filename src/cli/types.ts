import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { openDatabase } from '../backends/database.js';
import { DirectoryLockedError } from '../backends/directory-lock.js';
import { sqlState } from '../backends/errors.js';
import { MigrationError } from '../backends/migrate.js';
import { tokenVariable } from '../config/settings.js';
import { readConfig } from '../config.js';
import {
  type DeclaredFlag,
  declaredTypes,
  type FeatureTypesOptions,
  featureTypes,
  isFeatureTypes,
  typeOfValues,
  typesArguments,
} from '../core/feature-types.js';
import { shortened } from '../core/text.js';
import { readableVariants } from '../core/variants.js';
import { databaseOptionsOf } from '../server/from-config.js';
import { CommandError, UsageError } from './failure.js';
import { flagsOfServer } from './server-flags.js';

export interface TypesOptions extends FeatureTypesOptions {
  /** The file to write. */
  readonly out: string;
  /** The address of the server to ask, instead of the database. */
  readonly url?: string;
  /** An admin token. Default: `HALYARD_TOKEN`. */
  readonly token?: string;
  /** Only check whether the file is up to date. */
  readonly check?: true;
}

/**
 * Writes the keys of the flags, and the types of their values, as TypeScript declarations, or checks the file. Returns a report for people.
 * @throws UsageError if the options are wrong.
 * @throws CommandError if the flags cannot be read, or the file cannot be written or is out of date.
 */
export async function types(env: NodeJS.ProcessEnv, options: TypesOptions): Promise<string> {
  const { out, url, check } = options;
  if (url === undefined && options.token !== undefined)
    throw new UsageError('--token is given without --url: give --url too, or leave --token out.');
  const written = await readWritten(out);
  const token = options.token ?? (env[tokenVariable]?.trim() || undefined);
  const flags = url === undefined ? await flagsOfDatabase(env) : await flagsOfServer(url, token);
  const text = featureTypes(flags, options);
  const count = flags.length === 1 ? '1 flag' : `${flags.length} flags`;
  // A checkout may have changed the line endings.
  if (written?.replaceAll('\r\n', '\n') === text) return `${out} is up to date: ${count}.`;
  const differences = differencesOf(written ?? '', flags);
  if (check) {
    const state = written === null ? 'does not exist' : 'is out of date';
    throw new CommandError(
      [`${out} ${state}: run \`halyard types${typesArguments(options)} --out ${out}\`.`, ...differences].join('\n'),
    );
  }
  await writeWhole(out, text);
  return [`Wrote ${out}: ${count}.`, ...differences].join('\n');
}

/** Refuses a file that this command did not write: a wrong name must not destroy somebody's work. */
async function readWritten(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw cannot('read', file, error);
  });
  if (text === null || text.trim() === '' || isFeatureTypes(text)) return text;
  throw new CommandError(`${file} was not written by \`halyard types\`: give another file, or delete this one.`);
}

function differencesOf(written: string, flags: readonly DeclaredFlag[]): string[] {
  const before = declaredTypes(written.replaceAll('\r\n', '\n'));
  const now = new Map(flags.map(flag => [flag.key, typeOfValues(flag)]));
  const added = [...now.keys()].filter(key => !before.has(key)).sort();
  const removed = [...before.keys()].filter(key => !now.has(key)).sort();
  const changed = [...now].filter(([key, type]) => before.has(key) && before.get(key) !== type).sort();
  if (added.length + removed.length + changed.length === 0 && written !== '')
    return ['  The keys and their types are the same, but names, descriptions or the options of the command differ.'];
  return [
    ...added.map(key => `  added: ${key}`),
    ...removed.map(key => `  removed: ${key}`),
    ...changed.map(([key, type]) => `  changed: ${key} is ${shortened(type)}, was ${shortened(before.get(key) ?? '')}`),
  ];
}

/** Replaces the file in one step, so that a compiler that watches it reads the old or the new file and never a part. */
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
    ENOENT: 'its directory does not exist, so create it first',
    ENOTDIR: 'its directory does not exist, so create it first',
    EISDIR: 'it is a directory, so give the name of a file',
    EACCES: 'you have no permission',
    EPERM: 'you have no permission',
    EROFS: 'the file system is read-only',
  };
  return new CommandError(`Cannot ${verb} ${file}: ${reasons[code ?? ''] ?? message}.`);
}

const askServer = 'To ask a server instead, give its address with --url.';

/** The codes of a database without Halyard's tables, or with those of another version. */
const otherSchema = /^42(P01|703|883)$/;

async function flagsOfDatabase(env: NodeJS.ProcessEnv): Promise<readonly DeclaredFlag[]> {
  const config = readConfig(env);
  if (config.database.kind === 'memory') {
    throw new CommandError(`With FEATURE_BACKEND=memory there is no database to read. ${askServer}`);
  }
  try {
    const backend = await openDatabase({ ...databaseOptionsOf(config), asItIs: true });
    try {
      return (await backend.definitions()).flags.map(flag => ({ ...flag, variants: readableVariants(flag.variants) }));
    } catch (error) {
      throw (await backend.explainDenied(error)) ?? error;
    } finally {
      await backend.close();
    }
  } catch (error) {
    if (error instanceof DirectoryLockedError) {
      const holder = error.holder === null ? 'another process' : `process ${error.holder.pid}`;
      throw new CommandError(
        `The database in ${error.directory} is in use by ${holder}. If this is a server, ask it with --url <its address>; otherwise stop it first.`,
      );
    }
    if (error instanceof MigrationError) {
      throw new CommandError(`${error.message} Set DATABASE_URL or HALYARD_DATA_DIR. ${askServer}`);
    }
    if (otherSchema.test(sqlState(error) ?? '')) {
      throw new CommandError(
        `The database does not have the tables of this version: run \`halyard migrate\`, or start a server. ${askServer}`,
      );
    }
    throw error;
  }
}
