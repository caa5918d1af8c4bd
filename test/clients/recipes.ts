import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformAsync } from '@babel/core';
import { build, type Plugin, transform } from 'esbuild';
import { packageRoot, readPage } from '../support/page-examples.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(packageRoot);

/** Where the files of the page are written: inside this repository, so that they find its packages. */
const folder = join(root, 'generated', 'clients');

export const page = readPage('docs/clients.md');

/** The block of docs/clients.md with this note. */
export function block(note: string): string {
  const found = page.blocks.filter(block => block.note === note);
  if (found[0] === undefined || found.length > 1) throw new Error(`docs/clients.md has ${found.length} blocks "${note}".`);
  return found[0].code;
}

/** A program of the page's author: the token that the test gives, and the address of the test's server. */
const session = `
  declare global { var token: string | undefined }
  export const currentToken = async (): Promise<string | null> => globalThis.token ?? null;`;

export const recipes = ['apollo', 'urql', 'relay'] as const;

const files = ['live.ts', 'documents.ts', 'codegen.ts', 'apollo.tsx', 'urql.tsx', 'relay.tsx', 'relay.config.json'];

/** Writes the blocks of the page as a project, and runs both compilers of GraphQL documents as the page says. */
export async function writeProject(): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  const src = join(folder, 'src');
  await mkdir(src, { recursive: true });
  for (const file of files) {
    const place = /^(codegen|relay\.config)/.test(file) ? folder : src;
    const code = block(file)
      .replace(/[./]*node_modules\/halyard\/schema\.graphql/, join(root, 'schema.graphql'))
      .replace("'https://flags.example.com/graphql'", '`${location.origin}/graphql`');
    await writeFile(join(place, file), code);
  }
  await writeFile(join(src, 'session.ts'), session);
  await node('@graphql-codegen/cli/package.json', 'cjs/bin.js', '--config', 'codegen.ts');
  await node('relay-compiler/package.json', 'cli.js', 'relay.config.json');
  return folder;
}

async function node(manifest: string, program: string, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [join(dirname(require.resolve(manifest)), program), ...args], { cwd: folder });
}

/** What `relay-compiler` needs of a bundler: its Babel plugin. */
const relay: Plugin = {
  name: 'relay',
  setup: ({ onLoad }) =>
    onLoad({ filter: /relay[^/]*\.tsx$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'tsx', jsx: 'automatic' });
      const options = { configFile: false, babelrc: false, filename: path, plugins: [['relay', { eagerEsModules: true }]] };
      return { contents: (await transformAsync(code, options))?.code ?? '', loader: 'js' };
    }),
};

/** The script of a page that shows the component of a recipe. */
export async function bundle(recipe: (typeof recipes)[number]): Promise<string> {
  const contents = `
    import { createRoot } from 'react-dom/client';
    import { App } from './${recipe}';
    createRoot(document.getElementById('app')!).render(<App />);`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(folder, 'src'), loader: 'tsx' },
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', __DEV__: 'false', global: 'globalThis' },
    plugins: [relay],
  });
  return outputFiles[0]?.text ?? '';
}
