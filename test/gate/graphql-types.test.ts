import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = `${root}test/gate/virtual.ts`;

/** Programs of their own: what one adds to `FeatureTypes` concerns all of it, and so do the plugins of Halyard's own schema. */
const program = `
import SchemaBuilder from '@pothos/core';
import { GraphQLNonNull, GraphQLObjectType, GraphQLString, type GraphQLFieldConfig, type GraphQLResolveInfo } from 'graphql';
import { createFeatures, MemoryBackend } from '../../src/index.js';
import { gatedField, gatedSubscription } from '../../src/gate/graphql.js';
import { HalyardPlugin } from '../../src/gate/pothos.js';

declare module '../../src/core/feature-key.js' {
  interface FeatureTypes {
    new_search: boolean;
  }
}

interface Context { readonly user: { readonly id: string; readonly plan: string } | null }
interface Account { readonly number: string }

const features = await createFeatures({ backend: new MemoryBackend() });
const user = (context: Context) => context.user;

const builder = new SchemaBuilder<{ Context: Context }>({
  plugins: [HalyardPlugin],
  halyard: { features, user: context => context.user },
});
const resolve = () => 'found';
builder.queryType({
  fields: t => ({
    short: t.string({ requireFeature: 'new_search', resolve }),
    long: t.string({ requireFeature: { key: 'new_search', status: 403, message: 'No.', whenUnknown: 'open' }, resolve }),
    // @ts-expect-error There is no such flag.
    misspelt: t.string({ requireFeature: 'new_serach', resolve }),
    // @ts-expect-error There is no such flag.
    misspeltToo: t.string({ requireFeature: { key: 'new_serach' }, resolve }),
    // @ts-expect-error A field cannot redirect.
    redirect: t.string({ requireFeature: { key: 'new_search', redirectUrl: '/' }, resolve }),
    // @ts-expect-error There are two answers.
    teapot: t.string({ requireFeature: { key: 'new_search', status: 418 }, resolve }),
    soft: t.string({ nullable: true, requireFeature: { key: 'new_search', soft: true }, resolve }),
    softByDefault: t.string({ requireFeature: { key: 'new_search', soft: true }, resolve }),
    notSoft: t.string({ nullable: false, requireFeature: { key: 'new_search', soft: false }, resolve }),
    // @ts-expect-error It cannot be null.
    hard: t.string({ nullable: false, requireFeature: { key: 'new_search', soft: true }, resolve }),
    softList: t.stringList({
      nullable: { list: true, items: false },
      requireFeature: { key: 'new_search', soft: true },
      resolve: () => [],
    }),
    hardList: t.stringList({
      nullable: { list: false, items: true },
      // @ts-expect-error It cannot be null.
      requireFeature: { key: 'new_search', soft: true },
      resolve: () => [],
    }),
  }),
});

const strict = new SchemaBuilder<{ DefaultFieldNullability: false }>({
  plugins: [HalyardPlugin],
  defaultFieldNullability: false,
  halyard: { features },
});
strict.queryField('hard', t =>
  // @ts-expect-error It cannot be null.
  t.string({ requireFeature: { key: 'new_search', soft: true }, resolve }),
);
strict.queryField('soft', t =>
  t.string({ nullable: true, requireFeature: { key: 'new_search', soft: true }, resolve: () => null }),
);

const own = await createFeatures({
  backend: new MemoryBackend(),
  user: ({ number }: Account) => ({ id: number }),
});
new SchemaBuilder<{ Context: Context; FeatureUser: Account }>({
  plugins: [HalyardPlugin],
  halyard: { features: own, user: () => ({ number: '1' }) },
});
new SchemaBuilder<{ Context: Context; FeatureUser: Account }>({
  plugins: [HalyardPlugin],
  // @ts-expect-error An account has a number.
  halyard: { features: own, user: () => ({ id: '1' }) },
});
new SchemaBuilder<{ Context: Context }>({
  plugins: [HalyardPlugin],
  // @ts-expect-error These features are for accounts.
  halyard: { features: own },
});

// @ts-expect-error There is no such flag.
gatedField('new_serach', { features });
// @ts-expect-error There is no such flag.
gatedSubscription('new_serach', { features });
// @ts-expect-error An account has a number.
gatedField('new_search', { features: own, user });

type Resolver<Result> = (
  root: object,
  args: { text: string },
  context: Context,
  info: GraphQLResolveInfo,
) => Result | Promise<Result>;
const search = (_root: object, { text }: { text: string }, context: Context) => text + context.user?.plan;
export const resolvers: { hard: Resolver<string>; soft: Resolver<string | null>; wrong: Resolver<string> } = {
  hard: gatedField('new_search', { features, user })(search),
  soft: gatedField('new_search', { features, user, soft: true })(search),
  // @ts-expect-error It may be null.
  wrong: gatedField('new_search', { features, user, soft: true })(search),
};
export const asFieldConfig: GraphQLFieldConfig<unknown, Context, { text: string }> = {
  type: new GraphQLNonNull(GraphQLString),
  resolve: gatedField('new_search', { features, user })((_root, { text }, context) => text + context.user?.plan),
};
`;

it('a misspelt key, a soft gate of a field that cannot be null, and a wrong user do not compile', {
  timeout: 120_000,
}, () => {
  const options: ts.CompilerOptions = {
    ...ts.parseJsonConfigFileContent(ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile).config, ts.sys, root)
      .options,
    noUnusedLocals: false,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = name => name === file || fileExists(name);
  host.readFile = name => (name === file ? program : readFile(name));
  const { getSourceFile } = host;
  host.getSourceFile = (name, version, ...rest) =>
    name === file ? ts.createSourceFile(name, program, version) : getSourceFile(name, version, ...rest);
  const compiled = ts.createProgram([file], options, host);
  const source = compiled.getSourceFile(file);
  const found = [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)];
  expect(
    found.map(({ messageText, start }) => {
      const line = source?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0;
      return `${program.split('\n')[line]?.trim()}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    }),
  ).toEqual([]);
});
