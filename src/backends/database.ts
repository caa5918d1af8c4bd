// Over 300 lines: the contract has many methods, and the class has one for each.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ApiKey, ApiKeyExistsError, TooManyApiKeysError } from '../core/api-key.js';
import type { Attributes } from '../core/attributes.js';
import { FlagExistsError, FlagNotFoundError, VersionConflictError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type { FlagPatch, NewFlag } from '../core/inputs.js';
import { type Log, silentLog } from '../core/log.js';
import type { ConstantRequest, MapUsage, UsageBatch, UsagePoint, UsageRequest } from '../core/usage.js';
import { storedUserId } from '../core/user-id.js';
import { Prisma, PrismaClient } from '../generated/prisma/client.js';
import { mapInSlices } from '../streams/slices.js';
import {
  apiKeyOf,
  insertApiKey,
  isNameTaken,
  readApiKeys,
  revokeApiKey,
  selectApiKey,
  writeApiKeyUses,
} from './api-keys.js';
import { Auditor } from './auditor.js';
import type {
  ApiKeysRead,
  Author,
  Backend,
  ChangePage,
  Definitions,
  Guard,
  LogFound,
  LogSearch,
  NewApiKey,
  NewOverride,
  NodeNote,
  OverriddenVariants,
  Override,
  Step,
  TargetedUser,
  TargetingNeeds,
  TargetingRead,
  User,
  Written,
} from './backend.js';
import type { Connection } from './connection.js';
import { type DatabaseSetupError, refusal, toUnavailable } from './errors.js';
import { exchangeNotes } from './node-notes.js';
import { Pruner } from './pruner.js';
import {
  read,
  readChanges,
  readDefinitions,
  readKnownUserIds,
  readOverriddenVariants,
  readOverrides,
  readTargeting,
  readUserCount,
  readUsersAfter,
  searchChanges,
} from './reads.js';
import {
  distinctUsers,
  ensureUsers,
  flagOf,
  flagState,
  json,
  overrideOf,
  overrideState,
  type StoredUsers,
  selectFlag,
  storedOrNull,
  storedUser,
  storedUsers,
} from './sql.js';
import {
  deleteFlags,
  deleteMembers,
  deleteOverrides,
  insertFlags,
  insertMembers,
  refuseCrossed,
  refusedBy,
  stepStatements,
  updateFlags,
  upsertOverrides,
  upsertUsers,
} from './statements.js';
import { readConstantSince, readLastAsked, readMapUsage, readUsage, writeUsage } from './usage.js';
import { Writer } from './writer.js';

/** Where the database is. */
export type DatabaseLocation =
  /** A PostgreSQL server: `postgresql://user:password@host:5432/database`, `?schema=name` for another schema. */
  | { readonly url: string }
  /** PGlite in this process, kept in this directory. */
  | { readonly dataDir: string }
  /** PGlite in this process that writes nothing to disk. */
  | { readonly memory: true };

export type DatabaseOptions = DatabaseLocation & {
  readonly log?: Log | undefined;
  /** Opens only an existing database: creates nothing and applies no migration. For programs that only read. */
  readonly asItIs?: true | undefined;
  /** Milliseconds for which entries of the change log are kept. Default: no limit. */
  readonly keepChangesMs?: number | undefined;
  /** Milliseconds for which counts of usage are kept. Default: no limit. */
  readonly keepUsageMs?: number | undefined;
  /** PostgreSQL: connections of the pool. One more connection listens. Default 10. */
  readonly poolSize?: number | undefined;
  /** PostgreSQL: the longest time of one statement, in milliseconds. Default 5,000. */
  readonly statementTimeoutMs?: number | undefined;
  /** PostgreSQL: the server's own address, for listening and migrating, if `url` is the address of a pooler. */
  readonly listenUrl?: string | undefined;
  /** Whether {@link DatabaseBackend.onQuery} works. It costs an event for each statement. Default: it does not. */
  readonly reportsQueries?: true | undefined;
  /** PGlite: the initial content, from `PGlite.dumpDataDir()`. A test run prepares one dump and clones it. */
  readonly templateDump?: Blob | undefined;
};

/**
 * Opens a database and brings its schema up to date. Opening an absent server fails within seconds.
 * @throws UnavailableError when the server cannot be reached.
 * @throws DatabaseUrlError, DatabaseSetupError when the address, the database or its settings are not valid.
 * @throws MigrationError when the schema cannot be brought up to date, or with `asItIs` when the directory has no database.
 * @throws DirectoryLockedError when another process uses the directory.
 * @throws DataDirectoryError when the directory cannot be read or written.
 */
export async function openDatabase(options: DatabaseOptions): Promise<DatabaseBackend> {
  const log = options.log ?? silentLog;
  const connection = await connect(options, log).catch(error => {
    throw toUnavailable(error) ?? error;
  });
  try {
    const applied = options.asItIs ? [] : await connection.migrate();
    if (applied.length > 0) log.info({ migrations: applied }, 'The database schema was brought up to date.');
    const audits = options.asItIs !== true;
    const { keepChangesMs, keepUsageMs, reportsQueries } = options;
    return new DatabaseBackend(connection, applied, { log, keepChangesMs, keepUsageMs, audits, reportsQueries });
  } catch (error) {
    await connection.close();
    throw toUnavailable(error) ?? error;
  }
}

/** Loads only the driver that is used: PGlite has several megabytes. */
async function connect(options: DatabaseOptions, log: Log): Promise<Connection> {
  if ('url' in options) {
    const { openPostgres } = await import('./postgres.js');
    const { url, listenUrl, poolSize = 10, statementTimeoutMs = 5_000 } = options;
    return openPostgres({ url, listenUrl, poolSize, statementTimeoutMs, existing: options.asItIs, log });
  }
  const { openEmbedded } = await import('./embedded.js');
  const dataDir = 'dataDir' in options ? options.dataDir : null;
  return openEmbedded({ dataDir, templateDump: options.templateDump, existing: options.asItIs, log });
}

/** The periodic work and the reports of a backend. */
interface Upkeep {
  readonly log?: Log;
  /** Milliseconds for which the log is kept; undefined: no limit. */
  readonly keepChangesMs?: number | undefined;
  /** Milliseconds for which counts of usage are kept; undefined: no limit. */
  readonly keepUsageMs?: number | undefined;
  /** Whether it audits the tables for changes that the triggers have not seen. */
  readonly audits?: boolean;
  readonly reportsQueries?: true | undefined;
}

/** Long limits: Prisma must not end a transaction that the database still works on. */
const transactionOptions = { maxWait: 15_000, timeout: 120_000 };

/**
 * Definitions, targeting and the change log in PostgreSQL, on a server or embedded.
 *
 * It uses SQL statements and not Prisma's models: each read is one statement, so that it sees one state, and each write returns
 * the row that the triggers produced. Prisma's client provides the pool and the transactions. {@link Writer} has the common part
 * of all writes.
 *
 * The file has more than 300 lines because the class has one method for each method of {@link Backend}. `reads.ts` and
 * `statements.ts` have their SQL.
 */
export class DatabaseBackend implements Backend {
  /** For reads by the layers above. Writes also work (triggers keep the log), but without retries and checks. */
  readonly prisma: PrismaClient;
  readonly #connection: Connection;
  readonly #writer: Writer;
  readonly #queryListeners: Set<(sql: string) => void> | null;
  readonly #hintListeners = new Set<() => void>();
  readonly #noteListeners = new Set<() => void>();
  readonly #pruner: Pruner | null;
  readonly #auditor: Auditor | null;
  #stopListening: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** Use {@link openDatabase}. */
  constructor(
    connection: Connection,
    /** The migrations that were applied when the database was opened. */
    readonly appliedMigrations: readonly string[],
    { log = silentLog, keepChangesMs, keepUsageMs, audits = false, reportsQueries }: Upkeep = {},
  ) {
    this.#connection = connection;
    const prisma = this.#createClient(reportsQueries === true);
    this.prisma = prisma;
    this.#queryListeners = reportsQueries ? new Set() : null;
    this.#writer = new Writer(prisma, connection.patienceMs, log);
    const isPruned = keepChangesMs !== undefined || keepUsageMs !== undefined;
    this.#pruner = isPruned ? new Pruner({ prisma, keepChangesMs, keepUsageMs, log }) : null;
    const { alone } = connection;
    this.#auditor = audits && alone !== null ? new Auditor({ prisma, alone, log }) : null;
  }

  /**
   * Calls `listener` with the SQL of each statement that is sent. For tests that count queries; the
   * database must have been opened with `reportsQueries`. Returns a function that removes the listener.
   */
  onQuery(listener: (sql: string) => void): () => void {
    const listeners = this.#queryListeners;
    if (listeners === null) throw new Error('Queries are not reported. Open the database with `reportsQueries: true`.');
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** The error with the GRANTs that the role of the database lacks. Null: the error is not a refused right. */
  explainDenied(error: unknown): Promise<DatabaseSetupError | null> {
    return this.#connection.explainDenied(error);
  }

  definitions(): Promise<Definitions> {
    return readDefinitions(this.prisma);
  }

  changes(after: number, limit: number): Promise<ChangePage> {
    return readChanges(this.prisma, after, limit, this.#connection.bytesPerPage);
  }

  search(search: LogSearch): Promise<LogFound> {
    return searchChanges(this.prisma, search);
  }

  onHint(listener: () => void): () => void {
    return this.#listen(this.#hintListeners, listener);
  }

  targeting(storedIds: readonly string[]): Promise<TargetingRead> {
    const run = (statement: Prisma.Sql) => {
      for (const listener of this.#queryListeners ?? []) listener(statement.text);
      return this.#connection.read(statement);
    };
    return readTargeting(run, storedIds);
  }

  knownUserIds(storedIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return readKnownUserIds(this.prisma, storedIds);
  }

  async getFlag(key: string): Promise<Flag | null> {
    const [row] = await read(this.prisma, selectFlag(key));
    return flagOf(row);
  }

  async createFlag(flag: NewFlag, by: Author | null): Promise<Written<Flag>> {
    const actor = by?.actor ?? null;
    // A refused write creates no user: the actor is created only if the insert succeeds.
    const insert = Prisma.sql`
      WITH made AS (
        ${insertFlags([flag], actor)}
        RETURNING *
      ), actors AS (
        ${ensureUsers(storedUsers([actor]), Prisma.sql`EXISTS (SELECT FROM made)`)}
      )
      SELECT halyard_flag_state(made)::text AS flag, ${actor}::text AS creator FROM made`;
    const { value: rows, ...written } = await this.#writer.write(by, [insert]);
    const made = flagOf(rows[0]?.[0]);
    if (made === null) throw new FlagExistsError(flag.key);
    return { ...written, value: made };
  }

  async updateFlag(
    key: string,
    patch: FlagPatch,
    expectedVersion: number | null,
    by: Author | null,
  ): Promise<Written<Flag>> {
    // A refused write creates no user: the actor is created only if the update finds its row.
    const update = Prisma.sql`
      WITH written AS (
        ${updateFlags([{ key, patch, expectedVersion }])}
        RETURNING stored.*
      ), actors AS (
        ${ensureUsers(storedUsers([by?.actor ?? null]), Prisma.sql`EXISTS (SELECT FROM written)`)}
      )
      SELECT ${flagState(Prisma.sql`written`)} FROM written`;
    const { value: rows, ...written } = await this.#writer.write(by, [update, selectFlag(key)]);
    const updated = flagOf(rows[0]?.[0]);
    if (updated !== null) return { ...written, value: updated };
    const current = flagOf(rows[1]?.[0]);
    if (current === null) throw new FlagNotFoundError(key);
    throw new VersionConflictError(current, expectedVersion as number);
  }

  async deleteFlag(key: string, by: Author | null): Promise<Written<boolean>> {
    return this.#remove(by, deleteFlags([key]));
  }

  async setOverride(override: NewOverride, by: Author | null): Promise<Written<Override>> {
    const { userId, flagKey } = override;
    const actor = by?.actor ?? null;
    const isThere = Prisma.sql`EXISTS (SELECT FROM feature_flags WHERE key = ${flagKey})`;
    const select = Prisma.sql`
      SELECT ${overrideState} FROM feature_flag_overrides o
      WHERE user_id = ${storedUserId(userId)}::uuid AND flag_key = ${flagKey}`;
    const users = ensureUsers(storedUsers([userId, actor]), isThere);
    const { value: rows, ...written } = await this.#writer.write(by, [
      users,
      upsertOverrides([override], actor),
      select,
    ]);
    const stored = rows[2]?.[0];
    if (stored === undefined) throw new FlagNotFoundError(flagKey, 'flagKey');
    return { ...written, value: { userId, flagKey, ...overrideOf(stored) } };
  }

  overrides(of: readonly Pick<Override, 'userId' | 'flagKey'>[]): Promise<readonly (Override | null)[]> {
    return readOverrides(this.prisma, of);
  }

  usersAfter(storedId: string | null, limit: number, needs: TargetingNeeds): Promise<readonly TargetedUser[]> {
    return readUsersAfter(this.prisma, storedId, limit, needs);
  }

  countUsers(): Promise<number> {
    return readUserCount(this.prisma);
  }

  overriddenVariants(flagKeys: readonly string[]): Promise<OverriddenVariants> {
    return readOverriddenVariants(this.prisma, flagKeys);
  }

  async removeOverride(userId: string, flagKey: string, by: Author | null): Promise<Written<boolean>> {
    return this.#remove(by, deleteOverrides([{ userId, flagKey }]));
  }

  async addToGroup(group: string, userIds: readonly string[], by: Author | null): Promise<Written<number>> {
    const slices = await this.#slices(userIds);
    const actor = by?.actor ?? null;
    return this.#writer.writeCounted(
      by,
      [ensureUsers(storedUsers([actor])), ...(await mapInSlices(slices, users => ensureUsers(users)))],
      await mapInSlices(slices, users => insertMembers(group, users, actor)),
    );
  }

  async removeFromGroup(group: string, userIds: readonly string[], by: Author | null): Promise<Written<number>> {
    const slices = await this.#slices(userIds);
    return this.#writer.writeCounted(
      by,
      [ensureUsers(storedUsers([by?.actor ?? null]))],
      await mapInSlices(slices, users => deleteMembers(group, users)),
    );
  }

  async setUserAttributes(userId: string, attributes: Attributes, by: Author | null): Promise<Written<User>> {
    const select = Prisma.sql`SELECT attributes::text AS attributes FROM users WHERE id = ${storedUserId(userId)}::uuid`;
    const ensure = ensureUsers(storedUsers([besides(userId, by)]));
    // If the actor is the user, the upsert creates the user, in one change.
    const upsert = upsertUsers([{ userId, attributes }]);
    const { value: rows, ...written } = await this.#writer.write(by, [ensure, upsert, select]);
    return { ...written, value: { id: userId, attributes: json<Attributes>(rows[2]?.[0]?.['attributes']) } };
  }

  async apply(steps: readonly Step[], by: Author | null, guard: Guard | null = null): Promise<Written<null>> {
    const actor = by?.actor ?? null;
    const statements = [
      ...(guard === null ? [] : [refuseCrossed(guard)]),
      ensureUsers(storedUsers([actor])),
      ...stepStatements(steps, actor),
    ];
    const written = await this.#writer.write(by, statements).catch(error => {
      const fault = refusal(error);
      throw fault === null ? error : (refusedBy(fault, guard) ?? error);
    });
    return { ...written, value: null };
  }

  async deleteUser(userId: string, by: Author | null): Promise<Written<boolean>> {
    const remove = Prisma.sql`DELETE FROM users WHERE id = ${storedUserId(userId)}::uuid`;
    // If the actor is the user, the user must not be created again.
    return this.#remove(by, remove, besides(userId, by));
  }

  apiKeys(): Promise<ApiKeysRead> {
    return readApiKeys(this.prisma);
  }

  async createApiKey(key: NewApiKey, by: Author | null): Promise<Written<ApiKey>> {
    const statements = [insertApiKey(key, by?.actor ?? null), isNameTaken(key.name)];
    const { value: rows, ...written } = await this.#writer.write(by, statements);
    const made = apiKeyOf(rows[0]?.[0]);
    if (made !== null) return { ...written, value: made };
    throw rows[1]?.[0]?.['taken'] === true ? new ApiKeyExistsError(key.name) : new TooManyApiKeysError();
  }

  async revokeApiKey(id: string, by: Author | null): Promise<Written<ApiKey | null>> {
    const statements = [revokeApiKey(id, by?.actor ?? null), selectApiKey(id)];
    const { value: rows, ...written } = await this.#writer.write(by, statements);
    return { ...written, value: apiKeyOf(rows[1]?.[0]) };
  }

  noteApiKeyUses(uses: ReadonlyMap<string, Date>): Promise<void> {
    return writeApiKeyUses(this.prisma, uses);
  }

  addUsage(batch: UsageBatch): Promise<void> {
    return writeUsage(this.prisma, batch);
  }

  usage(requests: readonly UsageRequest[]): Promise<readonly (readonly UsagePoint[])[]> {
    return readUsage(this.prisma, requests);
  }

  lastAsked(flagIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return readLastAsked(this.prisma, flagIds);
  }

  mapUsage(): Promise<MapUsage> {
    return readMapUsage(this.prisma);
  }

  constantSince(requests: readonly ConstantRequest[], now: number): Promise<readonly (number | null)[]> {
    return readConstantSince(this.prisma, requests, now);
  }

  exchangeNotes(own: NodeNote | null, isNews: boolean): Promise<readonly NodeNote[]> {
    return exchangeNotes(this.prisma, own, isNews);
  }

  onNotes(listener: () => void): () => void {
    return this.#listen(this.#noteListeners, listener);
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#hintListeners.clear();
      this.#noteListeners.clear();
      this.#stopListening?.();
      await Promise.all([this.#pruner?.stop(), this.#auditor?.stop()]);
      await this.prisma.$disconnect();
      await this.#connection.close();
    })();
    return this.#closed;
  }

  #listen(listeners: Set<() => void>, listener: () => void): () => void {
    // The same listener may be added twice, and each time is removed alone.
    const own = () => listener();
    listeners.add(own);
    const tell = (all: ReadonlySet<() => void>) => () => {
      for (const each of [...all]) each();
    };
    this.#stopListening ??= this.#connection.listen(tell(this.#hintListeners), tell(this.#noteListeners));
    return () => void listeners.delete(own);
  }

  #createClient(reportsQueries: boolean): PrismaClient {
    const { adapter } = this.#connection;
    if (!reportsQueries) return new PrismaClient({ adapter, transactionOptions });
    const prisma = new PrismaClient({ adapter, transactionOptions, log: [{ emit: 'event', level: 'query' }] });
    prisma.$on('query', event => {
      for (const listener of this.#queryListeners ?? []) listener(event.query);
    });
    return prisma;
  }

  /** Runs a statement that removes. @param actor the user to create if unknown. */
  async #remove(by: Author | null, statement: Prisma.Sql, actor = by?.actor ?? null): Promise<Written<boolean>> {
    const counted = await this.#writer.writeCounted(by, [ensureUsers(storedUsers([actor]))], [statement]);
    return { ...counted, value: counted.value > 0 };
  }

  /** Each step takes milliseconds for many ids, so each step gets its own turn of the event loop. */
  async #slices(userIds: readonly string[]): Promise<StoredUsers[]> {
    const distinct = distinctUsers(await mapInSlices(userIds, storedUser));
    await nextTurn();
    // Sorted, so that the slices in the log do not depend on the order of the input.
    const users = [...distinct].sort(([a], [b]) => (a < b ? -1 : 1));
    await nextTurn();
    const size = Math.min(this.#connection.idsPerStatement, Math.max(users.length, 1));
    const starts = Array.from({ length: Math.ceil(users.length / size) }, (_, index) => index * size);
    return mapInSlices(starts, start => new Map(users.slice(start, start + size)));
  }
}

/** The actor, unless it is this user. */
function besides(userId: string, by: Author | null): string | null {
  const actor = by?.actor ?? null;
  return storedOrNull(actor) === storedUserId(userId) ? null : actor;
}
