import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { read } from './reads.js';

/** The secrets that all nodes on one database share, each with its name in the table and what it signs. */
export const secrets = {
  ticket: { name: 'ofrep_ticket', signs: 'tickets of event streams' },
  confirmation: { name: 'confirmation', signs: 'confirmations of changes' },
} as const;

export type Secret = keyof typeof secrets;

/**
 * The secrets of the database. One is null if somebody has deleted it.
 * @throws UnavailableError when the database cannot be asked.
 */
export async function readSecrets(prisma: PrismaClient): Promise<Readonly<Record<Secret, Uint8Array | null>>> {
  const rows = await read(prisma, Prisma.sql`SELECT name, encode(value, 'hex') AS secret FROM halyard_secrets`);
  const byName = new Map(rows.map(row => [row['name'], Buffer.from(row['secret'] as string, 'hex')]));
  return {
    ticket: byName.get(secrets.ticket.name) ?? null,
    confirmation: byName.get(secrets.confirmation.name) ?? null,
  };
}
