import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { type NodeNote, noteLife } from './backend.js';
import { toUnavailable } from './errors.js';
import { read } from './reads.js';
import { json, jsonb } from './sql.js';

/** The channel on which nodes wake one another. A notification says nothing but that there is something to read. */
export const notesChannel = 'halyard_notes';

/** Seconds after which the note of a node that ended without a word is deleted. */
const oldest = 60;

/** Puts a note in place of the last one of its node, in one statement, and reads those of the others. */
export async function exchangeNotes(
  prisma: PrismaClient,
  { node, asks, answer }: NodeNote,
  isNews: boolean,
): Promise<readonly NodeNote[]> {
  const isNote = asks !== null || answer !== null;
  const own = isNote
    ? Prisma.sql`INSERT INTO node_notes (node, asks, answer, at)
        VALUES (${node}::uuid, ${asks && jsonb(asks)}::jsonb, ${answer && jsonb(answer)}::jsonb, now())
        ON CONFLICT (node) DO UPDATE SET asks = EXCLUDED.asks, answer = EXCLUDED.answer, at = EXCLUDED.at`
    : Prisma.sql`DELETE FROM node_notes WHERE node = ${node}::uuid`;
  const rows = await read(
    prisma,
    Prisma.sql`
    WITH own AS (${own}), left_behind AS (
      DELETE FROM node_notes WHERE node IN (
        SELECT node FROM node_notes WHERE node <> ${node}::uuid AND at < now() - make_interval(secs => ${oldest})
        FOR UPDATE SKIP LOCKED)
    )
    SELECT node::text AS node, asks::text AS asks, answer::text AS answer FROM node_notes
    WHERE node <> ${node}::uuid AND at > now() - make_interval(secs => ${noteLife / 1_000}) ORDER BY node`,
  );
  if (isNews && isNote) await wake(prisma);
  return rows.map(row => ({
    node: row['node'] as string,
    asks: row['asks'] === null ? null : json(row['asks']),
    answer: row['answer'] === null ? null : json(row['answer']),
  }));
}

async function wake(prisma: PrismaClient): Promise<void> {
  try {
    await prisma.$executeRaw`SELECT pg_notify(${notesChannel}, '')`;
  } catch (error) {
    throw toUnavailable(error) ?? error;
  }
}
