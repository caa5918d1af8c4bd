import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { read } from './reads.js';

/**
 * The secret that signs the tickets of event streams, the same for all nodes on one database. Null: somebody has deleted it.
 * @throws UnavailableError when the database cannot be asked.
 */
export async function readTicketSecret(prisma: PrismaClient): Promise<Uint8Array | null> {
  const [row] = await read(
    prisma,
    Prisma.sql`SELECT encode(value, 'hex') AS secret FROM halyard_secrets WHERE name = 'ofrep_ticket'`,
  );
  return row === undefined ? null : Buffer.from(row['secret'] as string, 'hex');
}
