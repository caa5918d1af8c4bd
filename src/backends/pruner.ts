import type { Log } from '../core/log.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { isReadOnly, toUnavailable } from './errors.js';
import { PeriodicTask } from './periodic-task.js';
import { read } from './reads.js';

export interface PrunerOptions {
  readonly prisma: PrismaClient;
  /** Milliseconds for which an entry of the change log is kept. */
  readonly keepMs: number;
  readonly log: Log;
}

/** Entries in one deletion: other writes wait only for a short time behind it. */
const sliceLength = 1_000;
const interval = 3_600_000;
/** The first pruning starts soon, at a random time: nodes that start together do not prune together. */
const earliest = 1_000;
const latest = 60_000;

/**
 * Deletes old entries of the change log, from its beginning and in slices, soon after the start and then every hour. The last
 * entry always stays. The remaining entries have no gaps: a reader whose place was deleted finds that the next entry does not
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

  /** Returns the number of deleted entries. @throws UnavailableError */
  async prune(): Promise<number> {
    const { prisma, keepMs } = this.#options;
    // Uses the clock of the database, which stamped the entries. Times may run backwards if that clock was set.
    const [row] = await read(
      prisma,
      Prisma.sql`
      SELECT coalesce((SELECT revision FROM feature_changes
                       WHERE at >= now() - make_interval(secs => ${keepMs / 1_000}::float8) ORDER BY revision LIMIT 1),
                      (SELECT max(revision) FROM feature_changes))::text AS first_kept`,
    );
    const firstKept = row?.['first_kept'] as string | null | undefined;
    let deleted = 0;
    for (
      let count = sliceLength;
      firstKept != null && count === sliceLength && !this.#task.isStopped;
      deleted += count
    ) {
      count = await prisma.$executeRaw`
        DELETE FROM feature_changes WHERE revision IN (
          SELECT revision FROM feature_changes WHERE revision < ${firstKept}::text::bigint ORDER BY revision LIMIT ${sliceLength})`;
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
    } catch (error) {
      // A read-only database is reported where its sessions begin.
      if (isReadOnly(error)) return;
      log.warn({ err: toUnavailable(error) ?? error }, 'Old entries of the change log could not be deleted.');
    }
  }
}
