import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { dependencyVersion } from '../core/package-version.js';

/*
 * What `initdb` makes is the same for every new database, and PGlite takes several seconds and 600 MB of memory to make it. So the
 * build makes it once, and new databases begin with a copy. It has nothing that is secret or that tells one database from another: those
 * are made by migrations.
 */

const prefix = 'initial-database-';

/** Of this version of PGlite; both the sources and the built files find it. */
function initialContentFile(): string {
  const version = dependencyVersion('@electric-sql/pglite');
  return fileURLToPath(new URL(`../../dist/${prefix}${version}.tar.br`, import.meta.url));
}

/** The files of a new database, as `PGlite.dumpDataDir()` gives them. Undefined: the build has not made them, and PGlite is to. */
export async function initialContent(path: string = initialContentFile()): Promise<Blob | undefined> {
  const compressed = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (compressed === undefined) return undefined;
  return new BytesBlob(await promisify(brotliDecompress)(compressed, { chunkSize: 4_194_304 }));
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

/** Makes the files that {@link initialContent} reads, unless they are there. @returns whether they were made. */
export async function makeInitialContent(): Promise<boolean> {
  const path = initialContentFile();
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const earlier = (await readdir(folder)).filter(name => name.startsWith(prefix));
  if (earlier.includes(basename(path))) return false;
  const database = await PGlite.create();
  try {
    await database.exec('CHECKPOINT');
    const files = Buffer.from(await (await database.dumpDataDir('none')).arrayBuffer());
    // The three databases of `initdb` are nearly the same, and megabytes apart: a window that spans them makes it a third as large.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, await promisify(brotliCompress)(files, { params }));
    await rename(draft, path);
  } finally {
    await database.close();
  }
  for (const name of earlier) await rm(`${folder}/${name}`);
  return true;
}
