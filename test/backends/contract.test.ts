import { openDatabase } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { openPGlite } from '../support/pglite.js';
import { createDatabase } from '../support/postgres.js';
import { type ContractSubject, describeContract } from './contract.js';

async function onPostgres(timezone?: string): Promise<ContractSubject> {
  const database = await createDatabase(timezone === undefined ? {} : { timezone });
  const backend = await openDatabase({ url: database.url });
  return {
    backend,
    stop: async () => {
      await backend.close();
      await database.drop();
    },
  };
}

describeContract('MemoryBackend', async () => {
  const backend = new MemoryBackend();
  return { backend, stop: () => backend.close() };
});

describeContract('DatabaseBackend on PGlite', async () => {
  const backend = await openPGlite();
  return { backend, stop: () => backend.close() };
});

describeContract('DatabaseBackend on PostgreSQL', () => onPostgres());

// Both Prisma adapters send dates without an offset: whoever relies on the server's zone is hours off here.
describeContract('DatabaseBackend on PostgreSQL whose default time zone is America/New_York', () =>
  onPostgres('America/New_York'),
);
