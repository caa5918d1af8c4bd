import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformAsync } from '@babel/core';
import { type BuildOptions, build, type Plugin, transform } from 'esbuild';
import { compile } from '../support/package.js';
import { packageRoot, readPage } from '../support/page-examples.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(packageRoot);

export const page = readPage('docs/clients.md');

export const recipes = ['apollo', 'urql', 'relay'] as const;
export type Recipe = (typeof recipes)[number];

/** The block of docs/clients.md with this note. */
export function block(note: string): string {
  const [found, ...others] = page.blocks.filter(block => block.note === note);
  if (found === undefined || others.length > 0) throw new Error(`docs/clients.md has not one block "${note}".`);
  return found.code;
}

/** The part of a page that its author writes: here the test says who is signed in. */
const session = `
  declare global {
    var server: string;
    var token: string | null | undefined;
    var signIn: (userId: string | null, token: string | null) => void;
  }
  export const currentToken = async (): Promise<string | null> => globalThis.token ?? null;
  export function onUserChanged(listener: (userId: string | null) => void): () => void {
    globalThis.signIn = (userId, token) => {
      globalThis.token = token;
      listener(userId);
    };
    return () => {};
  }`;

const programs = page.blocks.flatMap(({ note }) => (note?.match(/\.tsx?$/) && note !== 'session.ts' ? [note] : []));

/** The files of docs/clients.md as a project of their own. */
export class ClientProject implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  /**
   * Writes the files, and runs both compilers of GraphQL documents as the page says.
   * @param more a selection to add to those of updates.
   */
  static async write(more = ''): Promise<ClientProject> {
    // Inside this repository, where programs find its packages.
    await mkdir(join(root, 'generated'), { recursive: true });
    const folder = await mkdtemp(join(root, 'generated', 'clients-'));
    const src = join(folder, 'src');
    await mkdir(src);
    const schema = join(root, 'schema.graphql');
    const write = (place: string, code: string) =>
      writeFile(
        join(folder, place),
        code
          .replace(/(\.\/)?node_modules\/halyard\/schema\.graphql/, schema)
          .replace(' removedIds }', ` removedIds ${more} }`)
          .replace("'https://flags.example.com/graphql'", 'globalThis.server'),
      );
    await write('src/session.ts', session);
    await write('relay.config.json', block('relay.config.json'));
    for (const program of programs) {
      await write(program === 'codegen.ts' ? program : `src/${program}`, block(program));
    }
    for (const recipe of recipes) {
      await write(`src/page-${recipe}.tsx`, block('page.tsx').replace("'./apollo'", `'./${recipe}'`));
    }
    const project = new ClientProject(folder);
    await project.#run('@graphql-codegen/cli', 'cjs/bin.js', '--config', 'codegen.ts');
    await project.#run('relay-compiler', 'cli.js', 'relay.config.json');
    return project;
  }

  /** The faults that TypeScript finds. */
  typeErrors(): Promise<string[]> {
    return compile(this.folder, ['src'], {
      lib: ['es2023', 'dom', 'dom.iterable'],
      module: 'esnext',
      moduleResolution: 'bundler',
      jsx: 'react-jsx',
      skipLibCheck: true,
      exactOptionalPropertyTypes: false,
      types: [],
    });
  }

  /** The script of a page that shows a recipe, from the state of a server if there is one. */
  async pageScript(recipe: Recipe): Promise<string> {
    const contents = `
      import { createRoot } from 'react-dom/client';
      import { App } from './${recipe}';
      import { Page } from './page-${recipe}';
      const { state } = globalThis;
      createRoot(document.getElementById('app')).render(state === undefined ? <Page /> : <App state={state} />);`;
    const stdin = { contents, resolveDir: join(this.folder, 'src'), loader: 'jsx' } as const;
    const { outputFiles } = await build({ ...buildOptions, stdin, write: false, format: 'iife' });
    return outputFiles[0]?.text ?? '';
  }

  /** The state of the cache of a recipe, as a server that renders pages makes it. */
  async renderedState(recipe: Recipe, url: string, token = ''): Promise<unknown> {
    const outfile = join(this.folder, `${recipe}-state.mjs`);
    const entryPoints = [join(this.folder, 'src', `${recipe}-state.ts`)];
    const banner = {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    };
    await build({ ...buildOptions, entryPoints, outfile, platform: 'node', format: 'esm', banner });
    const program = `globalThis.server = process.argv[1];
      const { stateOf } = await import(process.argv[2]);
      console.log(JSON.stringify(await stateOf(process.argv[3] || null)));`;
    const args = ['--input-type=module', '--eval', program, `${url}/graphql`, outfile, token];
    return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  async #run(name: string, program: string, ...args: readonly string[]): Promise<void> {
    const file = join(dirname(require.resolve(`${name}/package.json`)), program);
    await promisify(execFile)(process.execPath, [file, ...args], { cwd: this.folder });
  }
}

/** The Babel plugin that Relay needs beside its compiler. */
const relay: Plugin = {
  name: 'relay',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/src\/relay[^/]*\.tsx?$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'tsx', jsx: 'automatic' });
      const plugins = [['relay', { eagerEsModules: true }]];
      const compiled = await transformAsync(code, { configFile: false, babelrc: false, filename: path, plugins });
      return { contents: compiled?.code ?? '', loader: 'js' };
    }),
};

const buildOptions: BuildOptions & { write?: never } = {
  bundle: true,
  jsx: 'automatic',
  plugins: [relay],
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
};
