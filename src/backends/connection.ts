import type { PrismaClient } from '../generated/prisma/client.js';

/** Where the backend tells what it does: pino's shape. */
export interface BackendLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One way to a database: a PostgreSQL server, or PGlite in this process. */
export interface Connection {
  /** What Prisma speaks through. */
  readonly adapter: NonNullable<ConstructorParameters<typeof PrismaClient>[0]['adapter']>;
  /**
   * How many ids a bulk write hands to one statement. On PGlite statements run on the event loop, which breathes between
   * two of them; a server takes everything at once.
   */
  readonly idsPerStatement: number;
  /**
   * How much of the log is read at once, in stored bytes, however many entries were asked for; an entry that begins before
   * the limit is read whole. What is read is parsed on the event loop in one go.
   */
  readonly bytesPerPage: number;
  /** Milliseconds that a write may wait for its turn; whoever waits for it knows by then. */
  readonly patienceMs: number;
  /**
   * Runs one statement on a connection of its own, however long it takes; gives its rows. Null: nobody but this process
   * writes to the database.
   */
  readonly alone: ((sql: string) => Promise<readonly Record<string, unknown>[]>) | null;
  /** Brings the schema up to date; returns the names of the migrations applied. */
  migrate(): Promise<readonly string[]>;
  /**
   * Calls `hint` whenever the log may have grown: at each notification, and each time that listening begins anew, for
   * what was missed. Returns what ends it.
   */
  listen(hint: () => void): () => void;
  close(): Promise<void>;
}
