// Prints the size of each entry point of @halyard/client, as a page loads it: bundled with what it imports of the package,
// minified and gzipped; and the size of all scripts of the console. Exits with 1 above a limit, or if a bundle of the client holds
// something that is not the package's.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const folder = new URL('../packages/client/', import.meta.url);

/** Bytes, by entry point. All but the first count what a page loads in addition to the first. */
const limits: Readonly<Record<string, number>> = {
  '.': 4_096,
  './share': 1_024,
  './ws': 3_072,
  './react': 1_024,
  './openfeature': 1_024,
  './usage': 1_024,
};

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const { exports, peerDependencies } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as Manifest;
const fileOf = (entry: string) => {
  const target = exports[entry];
  return typeof target === 'object' ? target.default : undefined;
};

/** The bundle of the entry points together. */
async function bundle(entries: readonly string[]) {
  const contents = entries.map(entry => `export * from ${JSON.stringify(fileOf(entry))};`).join('');
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: folder.pathname },
    external: Object.keys(peerDependencies).flatMap(name => [name, `${name}/*`]),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    metafile: true,
    absWorkingDir: folder.pathname,
  });
  const foreign = Object.keys(metafile.inputs).filter(path => path !== '<stdin>' && !path.startsWith('dist/'));
  return { code: outputFiles[0]?.text ?? '', foreign };
}

const sizeOf = (code: string | Buffer) => gzipSync(code, { level: 9 }).byteLength;

const alone = sizeOf((await bundle(['.'])).code);
let isFine = true;
for (const [entry, limit] of Object.entries(limits)) {
  const name = `@halyard/client${entry.slice(1)}`.padEnd(28);
  if (!existsSync(new URL(fileOf(entry) ?? '', folder))) {
    console.log(`${name}is not built`);
    continue;
  }
  const { code, foreign } = await bundle(entry === '.' ? ['.'] : ['.', entry]);
  const size = sizeOf(code) - (entry === '.' ? 0 : alone);
  const isSmall = size <= limit;
  console.log(`${name}${String(size).padStart(6)} of ${limit} bytes${isSmall ? '' : ': too large'}`);
  if (foreign.length > 0) console.log(`  holds code of others: ${foreign.join(', ')}`);
  isFine &&= isSmall && foreign.length === 0;
}

/** All scripts of the console together, in bytes. */
const consoleLimit = 200_000;
const scripts = new URL('../dist/console/assets/', import.meta.url);
if (!existsSync(scripts)) {
  console.log(`${'the console'.padEnd(28)}is not built`);
} else {
  const names = readdirSync(scripts).filter(name => name.endsWith('.js'));
  const size = names.reduce((sum, name) => sum + sizeOf(readFileSync(new URL(name, scripts))), 0);
  console.log(
    `${'the console'.padEnd(28)}${String(size).padStart(6)} of ${consoleLimit} bytes${size <= consoleLimit ? '' : ': too large'}`,
  );
  isFine &&= size <= consoleLimit;
}
if (!isFine) process.exitCode = 1;
