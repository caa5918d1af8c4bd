import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StaticFile } from '../../http/static-file.js';

/** The console as it was built. */
export interface ConsoleFiles {
  /** By the path below `/console/`, all files but the page. */
  readonly assets: ReadonlyMap<string, StaticFile>;
  /** The page, by the number of slashes in the path below `/console/`. */
  readonly pages: readonly StaticFile[];
}

/** Files below this have names that change with their content. */
export const hashedFolder = 'assets/';
/** Slashes in the path of a page. Further ones are no page. */
const pageDepth = 8;

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.woff2': 'font/woff2',
};

/**
 * The page gets its scripts, styles and data from this server alone. `'self'` covers WebSockets to the same host and port. It gets `<base>`
 * from the server.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'cache-control': 'no-cache',
  'content-security-policy': contentSecurityPolicy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

const assetHeaders = (path: string) => ({
  'cache-control': path.startsWith(hashedFolder) ? 'public, max-age=31536000, immutable' : 'no-cache',
  'cross-origin-resource-policy': 'same-origin',
});

/** Where `npm run build` puts the console, whether this runs from `src` or from `dist`. */
export const builtConsole = (): string => fileURLToPath(new URL('../../../../dist/console', import.meta.url));

/** Reads all files of the console. Null: it has not been built. */
export async function readConsole(folder: string): Promise<ConsoleFiles | null> {
  const page = await readFile(join(folder, 'index.html'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (page === null) return null;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const assets = new Map<string, StaticFile>();
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file).split(sep).join('/');
    if (!entry.isFile() || path === 'index.html') continue;
    const type = types[extname(path)] ?? 'application/octet-stream';
    assets.set(path, new StaticFile(await readFile(file), type, assetHeaders(path)));
  }
  return { assets, pages: Array.from({ length: pageDepth + 1 }, (_, depth) => pageAt(page, depth)) };
}

/**
 * The addresses in the page are relative to `/console/`, so a page further down says where that is. Relative too: a proxy may serve the
 * console under a prefix that it takes away and that this server does not know.
 */
function pageAt(html: string, depth: number): StaticFile {
  const head = html.indexOf('<head>');
  if (head === -1) throw new TypeError('The page of the console has no <head>.');
  const place = head + '<head>'.length;
  const base = `<base href="${depth === 0 ? './' : '../'.repeat(depth)}">`;
  return new StaticFile(
    Buffer.from(html.slice(0, place) + base + html.slice(place)),
    types['.html'] as string,
    pageHeaders,
  );
}
