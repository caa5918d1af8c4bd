// A GraphQL schema with gated fields. Run it with `npx tsx examples/pothos.ts`, then
//   curl -s localhost:3000/graphql -H 'content-type: application/json' -H 'x-user: ann' -d '{"query":"{ search }"}'
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import SchemaBuilder from '@pothos/core';
import { createYoga } from 'graphql-yoga';
import { createFeatures, MemoryBackend } from 'halyard';
import { HalyardPlugin } from 'halyard/pothos';

const backend = new MemoryBackend();
backend.seed({
  flags: [
    { key: 'new_search', enabled: true, conditions: { attributes: { plan: 'pro' } } },
    { key: 'live_search', enabled: true },
  ],
});
const features = await createFeatures({ backend });

const users = [
  { id: 'ann', plan: 'pro' },
  { id: 'bob', plan: 'free' },
];

interface Context {
  readonly request: Request;
}

const builder = new SchemaBuilder<{ Context: Context }>({
  plugins: [HalyardPlugin],
  halyard: {
    features,
    // Your program knows the user of a request, for example from a session:
    user: ({ request }) => users.find(({ id }) => id === request.headers.get('x-user')) ?? null,
  },
});

builder.queryType({
  fields: t => ({
    hello: t.string({ resolve: () => 'hello' }),
    // Users without the feature get an error with the code FEATURE_DISABLED and the status 404.
    search: t.string({ requireFeature: 'new_search', resolve: () => 'found' }),
    // Users without the feature get null.
    hint: t.string({ nullable: true, requireFeature: { key: 'new_search', soft: true }, resolve: () => 'try search' }),
  }),
});
builder.mutationType({
  fields: t => ({
    endLiveSearch: t.boolean({
      resolve: async () => (await features.updateFlag({ key: 'live_search', enabled: false })).enabled,
    }),
  }),
});
builder.subscriptionType({
  fields: t => ({
    // Ends when the feature goes off.
    found: t.string({
      requireFeature: { key: 'live_search', status: 403 },
      subscribe: async function* () {
        for (let count = 1; ; count += 1) {
          yield `${count} found`;
          await setTimeout(1_000);
        }
      },
      resolve: event => event,
    }),
  }),
});

const yoga = createYoga({ schema: builder.toSchema() });
const server = createServer((request, response) => void yoga(request, response));
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
