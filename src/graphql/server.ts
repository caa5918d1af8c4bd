import { builder } from './builder.js';
import type { ServerDescription } from './context.js';

const Server = builder.objectRef<ServerDescription>('Server').implement({
  description: 'The server that answers.',
  fields: t => ({
    version: t.exposeString('version', { description: 'The version of Halyard.' }),
    environment: t.string({
      nullable: true,
      description: 'The name of the environment, such as `staging` (HALYARD_ENVIRONMENT). Null: it has none.',
      resolve: ({ environment }) => environment?.name ?? null,
    }),
    colour: t.string({
      nullable: true,
      description: 'The colour that tells the environment from others, such as `#c2410c`. Null: it has none.',
      resolve: ({ environment }) => environment?.colour ?? null,
    }),
    isProtected: t.exposeBoolean('isProtected', {
      description: 'Whether changes that alter the answers of a flag need a confirmation (HALYARD_PROTECTED).',
    }),
  }),
});

builder.queryFields(t => ({
  server: t.field({
    type: Server,
    description: 'Reader, admin. The server that answers: its version and its environment.',
    authScopes: { reader: true },
    resolve: (_root, _args, { server }) => server,
  }),
}));
