import { mkdtemp, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { UnavailableError } from '../../src/core/errors.js';
import { createDatabase } from '../support/postgres.js';

// A server that listens on a Unix socket takes the socket away when it stops.

describe('a database whose Unix socket is not there', () => {
  it('cannot be opened: it cannot be reached', async () => {
    const url = 'postgresql://postgres@localhost/halyard?host=%2Fno-server-here';
    await expect(openDatabase({ url })).rejects.toBeInstanceOf(UnavailableError);
  });

  it('cannot be read or written: it cannot be reached', async () => {
    const database = await createDatabase();
    const directory = await mkdtemp(join(tmpdir(), 'halyard-socket-'));
    const way = join(directory, 'way');
    await symlink(dirname(database.socketPath), way);
    const url = `postgresql://postgres@/${database.name}?host=${encodeURIComponent(way)}`;
    const backend = await openDatabase({ url, poolSize: 1, statementTimeoutMs: 1_000 });
    try {
      await unlink(way);
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}' AND pid <> pg_backend_pid()`,
      );
      for (let i = 0; i < 2; i += 1) {
        await expect(backend.definitions()).rejects.toBeInstanceOf(UnavailableError);
        await expect(backend.deleteFlag('any', null)).rejects.toBeInstanceOf(UnavailableError);
      }
    } finally {
      await backend.close();
      await database.drop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
