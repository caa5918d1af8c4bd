import { describe, expect, it } from 'vitest';
import type { BackendLog } from '../../src/backends/connection.js';
import { DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { openPostgres } from '../../src/backends/postgres.js';
import { UnavailableError } from '../../src/core/errors.js';

const log: BackendLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

// A server that listens on a Unix socket takes the socket away when it stops.
const url = 'postgresql://postgres@localhost/halyard?host=%2Fno-server-here';

describe('a database whose Unix socket is not there', () => {
  it('cannot be opened: it cannot be reached', async () => {
    await expect(openDatabase({ url })).rejects.toBeInstanceOf(UnavailableError);
  });

  it('cannot be read or written: it cannot be reached', async () => {
    const backend = new DatabaseBackend(openPostgres({ url, poolSize: 1, statementTimeoutMs: 1_000, log }), []);
    try {
      await expect(backend.definitions()).rejects.toBeInstanceOf(UnavailableError);
      await expect(backend.deleteFlag('any', null)).rejects.toBeInstanceOf(UnavailableError);
    } finally {
      await backend.close();
    }
  });
});
