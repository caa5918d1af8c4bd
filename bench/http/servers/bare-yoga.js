// The cost of a GraphQL server on graphql-yoga without any work: its defaults, and a resolver that always returns the same
// map. Plain JavaScript, so that no loader counts in its memory. ANSWER: { map }.
import { createServer } from 'node:http';
import { JSONObjectResolver } from 'graphql-scalars';
import { createSchema, createYoga } from 'graphql-yoga';

const { map } = JSON.parse(process.env.ANSWER ?? '');

const schema = createSchema({
  typeDefs: `
    scalar JSONObject
    type Query { viewer: Viewer! }
    type Viewer { featureMap: JSONObject! }
  `,
  resolvers: {
    JSONObject: JSONObjectResolver,
    Query: { viewer: () => ({}) },
    Viewer: { featureMap: () => map },
  },
});
createServer(createYoga({ schema })).listen(Number(process.env.PORT), '127.0.0.1');
