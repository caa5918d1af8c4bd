import type { Log } from '../core/log.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { PeriodicTask } from '../streams/periodic-task.js';
import { isReadOnly, toUnavailable } from './errors.js';
import { read } from './reads.js';
import { pruneUsage } from './usage.js';

export interface PrunerOptions {
  readonly prisma: PrismaClient;
  /** Milliseconds for which an entry of the change log is kept. Default: no limit. */
  readonly keepChangesMs?: number | undefined;
  /** Milliseconds for which counts of usage are kept. Default: no limit. */
  readonly keepUsageMs?: number | undefined;
  readonly log: Log;
}

/** Entries in one deletion: other writes wait only for a short time behind it. */
const sliceLength = 1_000;
const interval = 3_600_000;
/** The first pruning starts soon, at a random time: nodes that start together do not prune together. */
const earliest = 1_000;
const latest = 60_000;

/**
 * Deletes old entries of the change log, from its beginning and in slices, soon after the start and then every hour, and old
 * counts of usage. The last entry always stays. The remaining entries have no gaps: a reader whose place was deleted finds that the next entry does not
 * follow, and reloads.
 *
 * Any number of nodes may prune at the same time. A node waits for a slice that another node has locked, and then finds nothing
 * to delete in it.
 */
export class Pruner {
  readonly #options: PrunerOptions;
  readonly #task: PeriodicTask;

  constructor(options: PrunerOptions) {
    this.#options = options;
    this.#task = new PeriodicTask(
      () => this.#run(),
      () => interval,
      earliest + Math.random() * (latest - earliest),
    );
  }

  /** Deletes old entries of the change log, and returns their number. @throws UnavailableError */
  async prune(): Promise<number> {
    const { prisma, keepChangesMs } = this.#options;
    if (keepChangesMs === undefined) return 0;
    // Uses the clock of the database, which stamped the entries. Times may run backwards if that clock was set.
    const [row] = await read(
      prisma,
      Prisma.sql`
      SELECT coalesce((SELECT revision FROM feature_changes
                       WHERE at >= now() - make_interval(secs => ${keepChangesMs / 1_000}::float8) ORDER BY revision LIMIT 1),
                      (SELECT max(revision) FROM feature_changes))::text AS first_kept`,
    );
    const firstKept = row?.['first_kept'] as string | null | undefined;
    if (firstKept == null) return 0;
    return this.#inSlices(
      () => prisma.$executeRaw`
        DELETE FROM feature_changes WHERE revision IN (
          SELECT revision FROM feature_changes WHERE revision < ${firstKept}::text::bigint ORDER BY revision LIMIT ${sliceLength})`,
    );
  }

  /** Deletes old counts, and those of deleted flags. Returns their number. @throws UnavailableError */
  async pruneUsage(): Promise<number> {
    const { prisma, keepUsageMs } = this.#options;
    if (keepUsageMs === undefined) return 0;
    const statements = pruneUsage(keepUsageMs, sliceLength);
    let deleted = 0;
    for (const statement of statements) deleted += await this.#inSlices(() => prisma.$executeRaw(statement));
    return deleted;
  }

  async #inSlices(deleteSlice: () => Promise<number>): Promise<number> {
    let deleted = 0;
    for (let count = sliceLength; count === sliceLength && !this.#task.isStopped; deleted += count) {
      count = await deleteSlice();
    }
    return deleted;
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #run(): Promise<void> {
    const { log } = this.#options;
    try {
      const deleted = await this.prune();
      if (deleted > 0) log.info({ deleted }, 'Old entries of the change log were deleted.');
      await this.pruneUsage();
    } catch (error) {
      // A read-only database is reported where its sessions begin.
      if (isReadOnly(error)) return;
      log.warn(
        { err: toUnavailable(error) ?? error },
        'Old entries of the change log or old counts of usage could not be deleted.',
      );
    }
  }
}
