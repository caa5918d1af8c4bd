import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One remedy, switched off by a change of its sources. */
export interface Sabotage {
  readonly name: string;
  /** Texts of the names of attacks that are expected to find it. */
  readonly finders: readonly string[];
  readonly replacements: readonly Replacement[];
  /** Whether it is found in seconds, so that every run of the tests can look. */
  readonly isQuick?: boolean;
}

export interface Replacement {
  /** From the root of the package. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly from: string;
  readonly to: string;
}

/** An operation that its client has ended goes on, and its id is used again before it is over. */
const reusedAtOnce: readonly Replacement[] = [
  {
    file: 'src/server/protocols/socket-inbox.ts',
    from: 'this.#waiting.find(({ id }) => !this.#ending?.has(id))',
    to: 'this.#waiting[0]',
  },
  { file: 'src/server/protocols/graphql-ws.ts', from: "if (run.state === 'over') return [noLonger()];", to: '' },
];

/** Each remedy, with the attacks that need it. */
export const sabotages: readonly Sabotage[] = [
  {
    name: 'short messages',
    finders: ['a variable of the wrong type that repeats'],
    replacements: [
      {
        file: 'src/server/operations/mask-error.ts',
        from: 'error.message = shortened(error.message);',
        to: "error.message = error.message.replace(/ Did you mean [^?]*\\?/, '');",
      },
    ],
  },
  {
    name: 'variables that are kept',
    finders: ['much in variables that are not declared'],
    replacements: [
      {
        file: 'src/server/operations/variables.ts',
        from: 'if (given === null) return null;',
        to: 'return given;',
      },
      {
        file: 'src/server/operations/variables.ts',
        from: 'variables: hasNone ? 0 : jsonBytes(declared)',
        to: 'variables: 0',
      },
    ],
  },
  {
    name: 'rest while connections come',
    finders: ['a flood of connections beside busy WebSockets'],
    replacements: [{ file: 'src/server/http/schedule.ts', from: 'if (this.#mayRest()) {', to: 'if (false) {' }],
  },
  {
    name: 'short introductions',
    finders: ['much in connection_init'],
    replacements: [
      {
        file: 'src/server/protocols/socket-inbox.ts',
        from: 'if (text.length > controlMessageLength) {',
        to: 'if (false) {',
      },
      {
        file: 'src/server/protocols/socket-inbox.ts',
        from: 'this.#host.introduce(payload);\n      this.#hand({ type });',
        to: 'this.#host.introduce(payload);\n      this.#hand({ type, payload: payload ?? {} });',
      },
    ],
  },
  {
    name: 'ids that wait for the end of their predecessors',
    isQuick: true,
    finders: ['complete of a query under way'],
    replacements: reusedAtOnce,
  },
  {
    // The protocol library loses a stream only where ids are used again too early, so that is switched off as well.
    name: 'streams that end with their socket',
    finders: ['complete of a query under way'],
    replacements: [
      ...reusedAtOnce,
      { file: 'src/server/protocols/socket-connection.ts', from: 'this.streams.end();', to: '' },
    ],
  },
  {
    name: 'places that cannot leak',
    finders: ['streams with '],
    replacements: [
      {
        file: 'src/server/http/places.ts',
        from: 'whenClosed(holder, () => place.release());',
        to: "holder.once('close', () => place.release());",
      },
    ],
  },
  {
    name: 'short documents',
    isQuick: true,
    finders: ['a document of newlines'],
    replacements: [
      {
        file: 'src/server/operations/document.ts',
        from: 'if (text.length > limits.documentLength) throw tooLong(text.length, limits.documentLength);',
        to: '',
      },
    ],
  },
  {
    name: 'readers that must read',
    finders: ['the page of GraphiQL never read', 'large answers never read'],
    replacements: [
      { file: 'src/server/http/http-response.ts', from: 'this.setTimeout(this.#patience, () => this.cut());', to: '' },
      {
        file: 'src/server/http/http-response.ts',
        from: 'if (more > 0 && !unsent.hold(this, more)) {',
        to: 'if (false) {',
      },
    ],
  },
  {
    name: 'the cost of introspection',
    finders: ['a document with many aliases of '],
    replacements: [
      {
        file: 'src/server/operations/documents.ts',
        from: 'if (cost > limits.introspectionCost) {',
        to: 'if (false) {',
      },
    ],
  },
  {
    name: 'document limits',
    finders: ['a document with many aliases over', 'a document with many directives'],
    replacements: [
      { file: 'src/server/operations/documents.ts', from: 'if (tooLarge.length > 0) return tooLarge;', to: '' },
    ],
  },
  {
    name: 'subscriptions of a socket',
    isQuick: true,
    finders: ['more subscriptions than a socket may hold'],
    replacements: [
      { file: 'src/server/protocols/graphql-ws.ts', from: 'count >= limits.subscriptionsPerSocket', to: 'false' },
    ],
  },
];

/** @throws Error naming those that there are. */
export function sabotageNamed(name: string): Sabotage {
  const found = sabotages.find(sabotage => sabotage.name === name);
  if (found !== undefined) return found;
  throw new Error(`There is no sabotage ${JSON.stringify(name)}, but ${sabotages.map(({ name }) => name).join(', ')}.`);
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a node consists of. */
const parts = [
  ...['src', 'prisma', 'package.json', 'tsconfig.json'],
  ...['node', 'node-process', 'sabotage'].map(file => `test/chaos/${file}.ts`),
];

/** A changed copy of the server, where the packages that it imports are found as from the original. */
export interface Copy extends AsyncDisposable {
  /** The program that starts a node. */
  readonly entry: string;
}

/** @throws Error when a replacement does not fit the sources as they are: it would switch nothing off. */
export async function sabotagedCopy({ name, replacements }: Sabotage): Promise<Copy> {
  const folder = join(root, 'node_modules/.cache/halyard-hostile', `${name.replaceAll(' ', '-')}-${process.pid}`);
  const remove = () => rm(folder, { recursive: true, force: true });
  await remove();
  try {
    for (const part of parts) {
      await mkdir(dirname(join(folder, part)), { recursive: true });
      await cp(join(root, part), join(folder, part), { recursive: true });
    }
    for (const replacement of replacements) await replace(folder, replacement);
  } catch (error) {
    await remove();
    throw error;
  }
  return { entry: join(folder, 'test/chaos/node.ts'), [Symbol.asyncDispose]: remove };
}

async function replace(folder: string, { file, from, to }: Replacement): Promise<void> {
  const text = await readFile(join(folder, file), 'utf8');
  const [before, after, ...others] = text.split(from);
  if (before === undefined || after === undefined || others.length > 0) {
    throw new Error(`${file} has ${text.split(from).length - 1} times, instead of once: ${from}`);
  }
  await writeFile(join(folder, file), `${before}${to}${after}`);
}
