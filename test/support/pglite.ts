import { readFile } from 'node:fs/promises';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import { shared } from './shared.js';

let template: Promise<Blob> | undefined;

/** The dump of a migrated PGlite, made once a run: opening a clone takes a fraction of a first start. */
export function pgliteTemplate(): Promise<Blob> {
  template ??= shared<{ file: string }>('/pglite').then(async ({ file }) => new Blob([await readFile(file)]));
  return template;
}

/** A migrated PGlite in memory that nobody else uses. */
export async function openPGlite(): Promise<DatabaseBackend> {
  return openDatabase({ memory: true, templateDump: await pgliteTemplate(), reportsQueries: true });
}

/** A database that several servers of one test use, at a time or in turn: they do not close it. */
export function notClosing(database: DatabaseBackend): DatabaseBackend {
  return new Proxy(database, {
    get(target, name) {
      if (name === 'close') return async () => {};
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
