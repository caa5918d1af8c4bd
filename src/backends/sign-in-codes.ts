import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { read } from './reads.js';

/** Hours for which a use is remembered: longer than the clocks of nodes could differ. */
const kept = 24;

/**
 * Notes that a code is used. False: it was used before, on this node or another one.
 * @param id of the code, a UUID.
 * @throws UnavailableError when the database cannot be asked.
 */
export async function useCode(prisma: PrismaClient, id: string): Promise<boolean> {
  const rows = await read(
    prisma,
    Prisma.sql`
    WITH old AS (DELETE FROM sign_in_codes WHERE used_at < now() - make_interval(hours => ${kept}))
    INSERT INTO sign_in_codes (id, used_at) VALUES (${id}::uuid, now()) ON CONFLICT (id) DO NOTHING RETURNING id`,
  );
  return rows.length > 0;
}
