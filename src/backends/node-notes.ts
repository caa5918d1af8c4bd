import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { type NodeNote, noteLife } from './backend.js';
import { toUnavailable } from './errors.js';
import { read } from './reads.js';
import { json, jsonb } from './sql.js';

/** The channel on which nodes wake one another. A notification says nothing but that there is something to read. */
export const notesChannel = 'halyard_notes';

/** Seconds after which the note of a node that ended without a word is deleted. */
const oldest = 60;

/** Puts a note in place of the last one of its node, in one statement, and reads those of the others. Null only reads. */
export async function exchangeNotes(
  prisma: PrismaClient,
  own: NodeNote | null,
  isNews: boolean,
): Promise<readonly NodeNote[]> {
  const rows = await read(
    prisma,
    Prisma.sql`
    ${own === null ? Prisma.empty : Prisma.sql`WITH own AS (${write(own)}), left_behind AS (${clean(own)})`}
    SELECT node::text AS node, asks::text AS asks, answer::text AS answer FROM node_notes
    WHERE node IS DISTINCT FROM ${own?.node ?? null}::uuid AND at > now() - make_interval(secs => ${noteLife / 1_000}) ORDER BY node`,
  );
  if (isNews && own !== null && isNote(own)) await wake(prisma);
  return rows.map(row => ({
    node: row['node'] as string,
    asks: row['asks'] === null ? null : json(row['asks']),
    answer: row['answer'] === null ? null : json(row['answer']),
  }));
}

const isNote = ({ asks, answer }: NodeNote): boolean => asks !== null || answer !== null;

function write(note: NodeNote): Prisma.Sql {
  const { node, asks, answer } = note;
  if (!isNote(note)) return Prisma.sql`DELETE FROM node_notes WHERE node = ${node}::uuid`;
  return Prisma.sql`
    INSERT INTO node_notes (node, asks, answer, at)
    VALUES (${node}::uuid, ${asks && jsonb(asks)}::jsonb, ${answer && jsonb(answer)}::jsonb, now())
    ON CONFLICT (node) DO UPDATE SET asks = EXCLUDED.asks, answer = EXCLUDED.answer, at = EXCLUDED.at`;
}

function clean({ node }: NodeNote): Prisma.Sql {
  return Prisma.sql`
    DELETE FROM node_notes WHERE node IN (
      SELECT node FROM node_notes WHERE node <> ${node}::uuid AND at < now() - make_interval(secs => ${oldest})
      FOR UPDATE SKIP LOCKED)`;
}

async function wake(prisma: PrismaClient): Promise<void> {
  try {
    await prisma.$executeRaw`SELECT pg_notify(${notesChannel}, '')`;
  } catch (error) {
    throw toUnavailable(error) ?? error;
  }
}
