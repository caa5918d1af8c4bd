import type { Prisma, PrismaClient } from '../generated/prisma/client.js';
import type { DatabaseSetupError } from './errors.js';

/** A connection to a database: a PostgreSQL server, or PGlite in this process. */
export interface Connection {
  /** The driver adapter for Prisma. */
  readonly adapter: NonNullable<ConstructorParameters<typeof PrismaClient>[0]['adapter']>;
  /**
   * The most ids in one statement of a bulk write. PGlite runs statements on the event loop, and other work gets a turn between
   * two statements. A server takes all ids at once.
   */
  readonly idsPerStatement: number;
  /**
   * The most stored bytes of the log in one read, for any number of entries. An entry that begins before the limit is read
   * completely. A page is parsed on the event loop without a break.
   */
  readonly bytesPerPage: number;
  /** The longest time that a write waits for its turn, in milliseconds. After that it fails. */
  readonly patienceMs: number;
  /**
   * Runs one statement on a separate connection, without a time limit, and returns its rows. Null: only this process writes to
   * the database.
   */
  readonly alone: ((sql: string) => Promise<readonly Record<string, unknown>[]>) | null;
  /**
   * Runs one statement that reads, outside of transactions, and returns each row as a list of its columns. Only for reads on
   * the way of an answer: Prisma's part of one took more processor time than the driver's.
   */
  read(statement: Prisma.Sql): Promise<readonly (readonly unknown[])[]>;
  /** The error with the GRANTs that the role lacks. Null: the error is not a refused right, or no GRANT is known. */
  explainDenied(error: unknown): Promise<DatabaseSetupError | null>;
  /** Brings the schema up to date; returns the names of the migrations applied. */
  migrate(): Promise<readonly string[]>;
  /**
   * Calls `hint` whenever the log may have grown, and `notes` whenever a node may have left a note: at each notification, and both
   * each time that listening begins again, since notifications may have been missed. Returns a function that ends the listening.
   */
  listen(hint: () => void, notes: () => void): () => void;
  close(): Promise<void>;
}
