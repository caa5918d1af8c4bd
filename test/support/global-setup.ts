import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/backends/database.js';
import { compileSources } from './compile-sources.js';
import { PostgresServer } from './postgres-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files ask for what the whole run shares. */
    supportUrl: string;
  }
}

/**
 * What test files share is made once a run, when the first of them asks: a PostgreSQL server with a migrated template
 * database, the dump of a migrated PGlite, and the compiled sources. A run of tests that need neither pays for neither.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'halyard-test-'));
  let postgres: Promise<PostgresServer> | undefined;
  let template: Promise<string> | undefined;
  let pglite: Promise<string> | undefined;
  let compiled: Promise<string> | undefined;

  const makers: Record<string, () => Promise<object>> = {
    '/postgres': async () => {
      postgres ??= PostgresServer.start();
      const server = await postgres;
      template ??= makeTemplate(server);
      return { url: server.url('postgres'), template: await template };
    },
    '/pglite': async () => {
      pglite ??= dumpPGlite(join(directory, 'pglite.tar'));
      return { file: await pglite };
    },
    '/compiled': async () => {
      const folder = join(directory, 'compiled');
      compiled ??= compileSources(folder).then(() => folder);
      return { folder: await compiled };
    },
  };

  const service = createServer((request, response) => {
    // A connection kept alive may be closed by one side just as the other uses it again.
    response.setHeader('connection', 'close');
    const make = makers[request.url ?? ''];
    if (make === undefined) return void response.writeHead(404).end();
    make().then(
      answer => response.end(JSON.stringify(answer)),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
    );
  });
  await new Promise<void>(done => service.listen(0, '127.0.0.1', done));
  project.provide('supportUrl', `http://127.0.0.1:${(service.address() as AddressInfo).port}`);

  return async () => {
    service.closeAllConnections();
    service.close();
    await (await postgres?.catch(() => undefined))?.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

async function makeTemplate(server: PostgresServer): Promise<string> {
  const name = 'halyard_template';
  await server.query(`CREATE DATABASE ${name}`);
  await (await openDatabase({ url: server.url(name) })).close();
  return name;
}

async function dumpPGlite(file: string): Promise<string> {
  const { PGlite } = await import('@electric-sql/pglite');
  const { initialContent } = await import('../../src/backends/initial-content.js');
  const { migrate, readMigrations } = await import('../../src/backends/migrate.js');
  const loadDataDir = await initialContent();
  const database = await PGlite.create(loadDataDir === undefined ? {} : { loadDataDir });
  await migrate(
    {
      query: async (sql, values) => (await database.query<Record<string, unknown>>(sql, [...(values ?? [])])).rows,
      script: async sql => void (await database.exec(sql)),
    },
    await readMigrations(),
  );
  await writeFile(file, Buffer.from(await (await database.dumpDataDir('none')).arrayBuffer()));
  await database.close();
  return file;
}
