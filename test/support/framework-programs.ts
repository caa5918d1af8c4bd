/** A small program on top of a framework, as somebody would begin one in an empty project. */
export interface FrameworkProgram {
  readonly name: string;
  /** The program: it exports what it was answered as `answers`, and leaves nothing running. */
  readonly code: string;
  readonly answers: readonly unknown[];
}

const checkoutForAnn = `const backend = new MemoryBackend();
const features = await createFeatures({ backend });
backend.seed({
  flags: [{ key: 'new_checkout', enabled: true, conditions: { groups: ['beta_testers'] } }],
  groups: { beta_testers: ['3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a'] },
});
const ann = { 'x-user-id': '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a' };
`;

const express: FrameworkProgram = {
  name: 'Express 5',
  code: `import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';
import { createFeatures, MemoryBackend, requireFeature } from 'halyard';

${checkoutForAnn}
const user = (request: Request) => {
  const id = request.get('x-user-id');
  return id === undefined ? null : { id };
};
const app = express();
app.get('/checkout/:step', requireFeature('new_checkout', { features, user }), (request, response) => {
  const { step } = request.params;
  response.send('step ' + step);
});
app.use('/beta', requireFeature('new_checkout', { features, user, status: 403 }));

const server = app.listen(0);
await new Promise(resolve => server.once('listening', resolve));
const url = 'http://127.0.0.1:' + (server.address() as AddressInfo).port;
const hidden = await fetch(url + '/checkout/1');
const shown = await fetch(url + '/checkout/1', { headers: ann });
const refused = await fetch(url + '/beta');
export const answers = [hidden.status, shown.status, await shown.text(), refused.status];
server.closeAllConnections();
server.close();
await features.close();
`,
  answers: [404, 200, 'step 1', 403],
};

const hono: FrameworkProgram = {
  name: 'Hono',
  code: `import { type Context, Hono } from 'hono';
import { createFeatures, MemoryBackend, requireFeature } from 'halyard';

${checkoutForAnn}
const user = (context: Context) => {
  const id = context.req.header('x-user-id');
  return id === undefined ? null : { id };
};
const app = new Hono();
app.get('/checkout', requireFeature('new_checkout', { features, user })((context: Context) => context.text('checkout')));

const hidden = await app.request('/checkout');
const shown = await app.request('/checkout', { headers: ann });
export const answers = [hidden.status, shown.status, await shown.text()];
await features.close();
`,
  answers: [404, 200, 'checkout'],
};

const pothos: FrameworkProgram = {
  name: 'Pothos',
  code: `import SchemaBuilder from '@pothos/core';
import { graphql } from 'graphql';
import { createFeatures, MemoryBackend } from 'halyard';
import { HalyardPlugin } from 'halyard/pothos';

${checkoutForAnn}
interface AppContext {
  readonly userId: string | null;
}
const builder = new SchemaBuilder<{ Context: AppContext }>({
  plugins: [HalyardPlugin],
  halyard: { features, user: ({ userId }) => (userId === null ? null : { id: userId }) },
});
builder.queryType({
  fields: t => ({
    checkout: t.string({ requireFeature: 'new_checkout', resolve: () => 'checkout' }),
    quiet: t.string({ requireFeature: { key: 'new_checkout', soft: true }, resolve: () => 'quiet' }),
  }),
});
const schema = builder.toSchema();
const ask = (userId: string | null) =>
  graphql({ schema, source: '{ checkout quiet }', contextValue: { userId } satisfies AppContext });

const shown = await ask(ann['x-user-id']);
const hidden = await ask(null);
export const answers = [shown.data, hidden.data, hidden.errors?.map(error => error.extensions['code'])];
await features.close();
`,
  answers: [{ checkout: 'checkout', quiet: 'quiet' }, { checkout: null, quiet: null }, ['FEATURE_DISABLED']],
};

const resolvers: FrameworkProgram = {
  name: 'graphql-js',
  code: `import { GraphQLObjectType, GraphQLSchema, GraphQLString, graphql } from 'graphql';
import { createFeatures, MemoryBackend } from 'halyard';
import { gatedField } from 'halyard/graphql';

${checkoutForAnn}
interface AppContext {
  readonly userId: string | null;
}
const gate = gatedField('new_checkout', {
  features,
  user: ({ userId }: AppContext) => (userId === null ? null : { id: userId }),
});
const query = new GraphQLObjectType<object, AppContext>({
  name: 'Query',
  fields: { checkout: { type: GraphQLString, resolve: gate(() => 'checkout') } },
});
const schema = new GraphQLSchema({ query });
const ask = (userId: string | null) =>
  graphql({ schema, source: '{ checkout }', contextValue: { userId } satisfies AppContext, rootValue: {} });

const shown = await ask(ann['x-user-id']);
const hidden = await ask(null);
export const answers = [shown.data, hidden.data, hidden.errors?.map(error => error.extensions['code'])];
await features.close();
`,
  answers: [{ checkout: 'checkout' }, { checkout: null }, ['FEATURE_DISABLED']],
};

const testing: FrameworkProgram = {
  name: 'a test',
  code: `import { createFeatures, MemoryBackend } from 'halyard';
import { pinFeatures } from 'halyard/testing';

const features = await createFeatures({ backend: new MemoryBackend() });
const unpin = pinFeatures(features, { new_checkout: true });
const pinned = await features.isEnabled('new_checkout');
unpin();
export const answers = [pinned, await features.isEnabled('new_checkout')];
await features.close();
`,
  answers: [true, false],
};

const openFeature: FrameworkProgram = {
  name: 'OpenFeature',
  code: `import { OpenFeature } from '@openfeature/server-sdk';
import { createFeatures, MemoryBackend } from 'halyard';
import { HalyardProvider } from 'halyard/openfeature';

const backend = new MemoryBackend();
backend.seed({ flags: [{ key: 'new_checkout', enabled: true, conditions: { attributes: { plan: 'pro' } } }] });
const features = await createFeatures({ backend, user: (account: { uuid: string }) => ({ id: account.uuid }) });
await OpenFeature.setProviderAndWait(new HalyardProvider(features));
const client = OpenFeature.getClient();
const pro = await client.getBooleanDetails('new_checkout', false, { targetingKey: 'ann', plan: 'pro' });
export const answers = [pro.value, pro.reason, await client.getBooleanValue('new_checkout', true)];
await OpenFeature.close();
await features.close();
`,
  answers: [true, 'TARGETING_MATCH', false],
};

/** An empty project, what it installs beside the package, and what is then written in it. */
export interface FrameworkProject {
  readonly name: string;
  readonly packages: readonly string[];
  readonly programs: readonly FrameworkProgram[];
  /**
   * Whether the declarations of libraries are compiled too. Those of this package are compiled without any framework, but for the
   * entry point that needs one.
   */
  readonly checksDeclarations?: true;
}

export const frameworkProjects: readonly FrameworkProject[] = [
  { name: 'express', packages: ['express@5', '@types/express@5'], programs: [express] },
  { name: 'hono', packages: ['hono@4'], programs: [hono, testing] },
  {
    name: 'openfeature',
    packages: ['@openfeature/server-sdk@1', '@openfeature/core@1'],
    programs: [openFeature],
    checksDeclarations: true,
  },
  { name: 'pothos', packages: ['@pothos/core@4', 'graphql@16'], programs: [pothos, resolvers] },
];
