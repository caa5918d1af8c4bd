import SchemaBuilder from '@pothos/core';
import type { GraphQLSchema } from 'graphql';
import { createSchema } from 'graphql-yoga';
import { gatedField, gatedSubscription } from '../../src/gate/graphql.js';
import { type FieldGate, HalyardPlugin } from '../../src/gate/pothos.js';
import type { Features } from '../../src/index.js';

/** Where Halyard's own schema is in the program, the types of its plugins want their options of every builder. */
export const otherPlugins = { prisma: undefined as never, scopeAuth: undefined as never };

export interface Context {
  readonly user?: string | undefined;
  readonly device?: string | null | undefined;
}

export const userOf = ({ user }: Context) => (user === undefined ? null : { id: user });
const device = (context: Context) => context.device;

/** What both forms make a schema of: the same fields behind the same gate. */
export interface GatedSchema {
  readonly features: Features;
  readonly gate: FieldGate;
  readonly user?: (context: Context) => { id: string } | null;
  readonly answer?: (name: string, context: Context) => string | Promise<string>;
  readonly subscribe?: () => AsyncIterable<string> | Promise<AsyncIterable<string>>;
  /** Default true. */
  readonly nullable?: boolean;
}

/** Resolves `free`, which has no gate. */
const free = () => 'free';
const items = ['a', 'b', 'c'];

export type MakeSchema = (given: GatedSchema) => GraphQLSchema;

const pothosSchema: MakeSchema = ({
  features,
  gate,
  user = userOf,
  answer = name => `hello ${name}`,
  subscribe = async function* () {},
  nullable = true,
}) => {
  const builder = new SchemaBuilder<{ Context: Context; DefaultFieldNullability: false }>({
    ...otherPlugins,
    plugins: [HalyardPlugin],
    defaultFieldNullability: false,
    halyard: { features, user, device },
  });
  const { soft = false, ...rest } = gate;
  // That a field which cannot be null takes no `soft` is what the types say, too; here it depends on the test.
  const requireFeature = { ...rest, soft } as FieldGate<false>;
  const Item = builder.objectRef<string>('Item').implement({
    fields: t => ({
      name: t.string({ resolve: name => name }),
      gated: t.string({ nullable, requireFeature, resolve: (name, _args, context) => answer(name, context) }),
    }),
  });
  builder.queryType({
    fields: t => ({
      free: t.string({ resolve: free }),
      gated: t.string({
        nullable,
        requireFeature,
        args: { name: t.arg.string({ required: true }) },
        resolve: (_root, { name }, context) => answer(name, context),
      }),
      items: t.field({ type: [Item], resolve: () => items }),
    }),
  });
  builder.mutationType({
    fields: t => ({
      gated: t.string({
        nullable,
        requireFeature,
        args: { name: t.arg.string({ required: true }) },
        resolve: (_root, { name }, context) => answer(name, context),
      }),
    }),
  });
  builder.subscriptionType({
    fields: t => ({ gated: t.string({ nullable, requireFeature, subscribe, resolve: event => event }) }),
  });
  return builder.toSchema();
};

const wrappedSchema: MakeSchema = ({
  features,
  gate: { key, ...rest },
  user = userOf,
  answer = name => `hello ${name}`,
  subscribe = async function* () {},
  nullable = true,
}) => {
  const options = { features, user, device, ...rest };
  const type = nullable ? 'String' : 'String!';
  const field = gatedField(
    key,
    options,
  )((_root: unknown, { name }: { name: string }, context: Context) => answer(name, context));
  return createSchema<Context>({
    typeDefs: `
      type Query { free: String! gated(name: String!): ${type} items: [Item!]! }
      type Mutation { gated(name: String!): ${type} }
      type Subscription { gated: ${type} }
      type Item { name: String! gated: ${type} }
    `,
    resolvers: {
      Query: { free, items: () => items, gated: field },
      Mutation: { gated: field },
      Subscription: { gated: gatedSubscription(key, options)({ subscribe, resolve: (event: string) => event }) },
      Item: {
        name: (name: string) => name,
        gated: gatedField(key, options)((name: string, _args: unknown, context: Context) => answer(name, context)),
      },
    },
  });
};

/** The forms of a gate for fields; what a table of tests runs through. */
export const fieldForms: readonly (readonly [name: string, make: MakeSchema])[] = [
  ['the Pothos plugin', pothosSchema],
  ['the resolver wrapper', wrappedSchema],
];
