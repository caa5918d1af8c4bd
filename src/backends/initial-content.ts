import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { dependencyVersion } from '../core/package-version.js';
import { DatabaseSetupError } from './errors.js';

/*
 * What `initdb` makes is the same for every new database, and PGlite takes several seconds and 600 MB of memory to make it. So the
 * build makes it once, and new databases begin with a copy. Secrets, and what tells one log from another, are made by migrations. The
 * `system_identifier` of PostgreSQL is the same for all that began with one copy.
 */

/** Of this version of PGlite; both the sources and the built files find it. */
function initialContentFile(): string {
  const version = dependencyVersion('@electric-sql/pglite');
  return fileURLToPath(new URL(`../../dist/initial-database-${version}.tar.br`, import.meta.url));
}

/**
 * The files of a new database, as `PGlite.dumpDataDir()` gives them. Undefined: the build has not made them, and PGlite is to.
 * @throws DatabaseSetupError that names the file if it is damaged, or may not be read.
 */
export async function initialContent(path: string = initialContentFile()): Promise<Blob | undefined> {
  try {
    return new BytesBlob(await promisify(brotliDecompress)(await readFile(path), { chunkSize: 4_194_304 }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DatabaseSetupError(`${path} is damaged, or may not be read: install the package again.`, {
      cause: error,
    });
  }
}

/** A blob that is asked for all of its bytes at once. Node reads one in pieces and puts these together, which takes half a second here. */
class BytesBlob extends Blob {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    super();
    this.#bytes = bytes;
  }

  override get size(): number {
    return this.#bytes.byteLength;
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
  }
}

/** Makes the files that {@link initialContent} reads, unless they are there and whole. */
export async function makeInitialContent(path: string = initialContentFile()): Promise<void> {
  if ((await initialContent(path).catch(() => undefined)) !== undefined) return;
  await mkdir(dirname(path), { recursive: true });
  const database = await PGlite.create();
  try {
    await database.exec('CHECKPOINT');
    const files = Buffer.from(await (await database.dumpDataDir('none')).arrayBuffer());
    // The three databases of `initdb` are nearly the same, and megabytes apart: a window that spans them makes it a third as large.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
    const draft = `${path}.${process.pid}.draft`;
    await writeFile(draft, await promisify(brotliCompress)(files, { params }));
    await rename(draft, path);
  } finally {
    await database.close();
  }
}
