import type { Backend } from './backends/backend.js';
import { Features, type FeatureUser } from './features/features.js';
import { type OnEvaluation, observeEach } from './features/observer.js';
import { FeatureService, type FeatureServiceOptions } from './features/service.js';
import { ValueReader } from './features/value-reader.js';

export interface CreateFeaturesOptions<User = FeatureUser>
  extends Omit<FeatureServiceOptions, 'backend' | 'observers'> {
  /** Where flags are kept: this, `databaseUrl` or `dataDir`. */
  readonly backend?: Backend;
  /** A PostgreSQL database, which servers may share. */
  readonly databaseUrl?: string;
  /** A directory for an embedded database, which no other process uses. */
  readonly dataDir?: string;
  /** Told of each evaluation. It must not throw. */
  readonly onEvaluation?: OnEvaluation | undefined;
  /** What of the program's own user objects evaluations see. Default: the object as it is. */
  readonly user?: (user: User) => FeatureUser;
}

/** Milliseconds for which a program keeps counts of usage, if it has a database of its own. Servers have a setting. */
const keepUsageMs = 90 * 86_400_000;

/** Needed where the program's users are not {@link FeatureUser}s as they are. */
type Mapped<User> = User extends FeatureUser ? unknown : Required<Pick<CreateFeaturesOptions<User>, 'user'>>;

/**
 * Feature flags inside this program, live: a change by any other program on the same database is seen here too. Close
 * them when done.
 *
 * @throws UnavailableError when the database cannot be reached.
 */
export async function createFeatures<User = FeatureUser>(
  options: CreateFeaturesOptions<User> & Mapped<User>,
): Promise<Features<User>> {
  const { backend, databaseUrl, dataDir, onEvaluation, user = asItIs, ...rest } = options;
  const { log } = rest;
  const report = (error: unknown) => {
    if (log !== undefined) log.error({ err: error }, 'A watch of features has failed. It continues.');
    else process.emitWarning(error instanceof Error ? error : String(error));
  };
  const warn = (details: object, message: string) => {
    if (log !== undefined) log.warn(details, message);
    else process.emitWarning(message);
  };
  const observers = onEvaluation === undefined ? [] : [observeEach(onEvaluation)];
  const opened = backend ?? (await openDatabase(databaseUrl, dataDir));
  try {
    const service = await FeatureService.open({ ...rest, observers, backend: opened });
    return new Features<User>(service, user, report, new ValueReader(warn));
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openDatabase(databaseUrl: string | undefined, dataDir: string | undefined): Promise<Backend> {
  const target = databaseUrl === undefined ? dataDir && { dataDir } : { url: databaseUrl };
  if (!target) throw new TypeError('createFeatures needs one of `backend`, `databaseUrl` and `dataDir`.');
  // Loaded only when asked for: a program that brings its own backend pays for no database.
  const database = await import('./backends/database.js');
  return database.openDatabase({ ...target, keepUsageMs });
}

const asItIs = (user: unknown) => user as FeatureUser;
