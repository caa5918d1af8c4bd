import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One remedy, switched off by a change of its sources. */
export interface Sabotage {
  readonly name: string;
  /** Texts of the names of attacks that are expected to find it. */
  readonly finders: readonly string[];
  readonly replacements: readonly Replacement[];
}

export interface Replacement {
  /** From the root of the package. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly from: string;
  readonly to: string;
}

export const sabotages: readonly Sabotage[] = [
  {
    name: 'document limits',
    finders: ['a document with many aliases over', 'a document with many directives'],
    replacements: [
      {
        file: 'src/server/plugins/use-operation-rules.ts',
        from: 'if (tooLarge.length > 0) return tooLarge;',
        to: '',
      },
    ],
  },
  {
    name: 'subscriptions of a socket',
    finders: ['more subscriptions than a socket may hold'],
    replacements: [
      {
        file: 'src/server/websocket.ts',
        from: 'subscriptions.size >= limits.subscriptionsPerSocket',
        to: 'false',
      },
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
