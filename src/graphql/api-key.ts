import {
  ApiKeyExistsError,
  ApiKeyNotFoundError,
  type ApiKey as ApiKeyShape,
  apiKeyRoles,
  TooManyApiKeysError,
} from '../core/api-key.js';
import { ValidationError } from '../core/errors.js';
import { maxNameLength } from '../core/text.js';
import { isUuid, storedUserId } from '../core/user-id.js';
import type { ApiKey as ApiKeyRow } from '../generated/prisma/client.js';
import { builder, unchecked } from './builder.js';
import { authorOf } from './context.js';
import { apiKeyPlace } from './cursors.js';
import { ErrorInterface } from './error-types.js';
import { page, pageArgs } from './page.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

const ApiKeyRole = builder.enumType('ApiKeyRole', {
  description: 'The role of an API key. It may do what a token with this role may.',
  values: Object.fromEntries(
    apiKeyRoles.map(role => [role, { description: `The same as the role \`${role}\` of a token.` }]),
  ) as Record<(typeof apiKeyRoles)[number], { description: string }>,
});

const ApiKey = builder.prismaNode('ApiKey', {
  name: 'ApiKey',
  nullable: true,
  id: { field: 'id' },
  description:
    'A credential of a program, which Halyard made. It stands where a token does: `Authorization: Bearer hly_...`, or the header `X-API-Key`. Its secret is shown once, when it is made.',
  fields: t => ({
    name: t.exposeString('name', {
      description: 'The name, for people and logs. Unique among the keys that are not revoked.',
    }),
    role: t.expose('role', { type: ApiKeyRole, description: 'The role of the programs that use the key.' }),
    prefix: t.exposeString('prefix', { description: 'The beginning of the secret, so that people recognise it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time when the key was made.' }),
    createdBy: t.field({
      type: 'UserID',
      nullable: true,
      description:
        'The user who made the key. A user who was deleted since has the stored UUID here. Null if an API key, or a program that named no user, made it.',
      select: { createdById: true },
      resolve: ({ createdById }, _args, { loaders }) =>
        createdById === null ? null : loaders.knownBy.load(createdById),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time when the key expires. From then on it is refused. Null means never.',
    }),
    lastUsedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'The time when the key was last used. Nodes write it once a minute, so it may be a minute late. Null if it was never used.',
      select: { use: true },
      resolve: ({ use }) => use?.lastUsedAt ?? null,
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time when the key was revoked. From then on it is refused. Null if it is not revoked.',
    }),
  }),
});

const ApiKeyConnection = builder.connectionObject(
  { type: ApiKey, name: 'ApiKeyConnection', description: 'A page of API keys.' },
  { name: 'ApiKeyEdge', description: 'An API key on a page.' },
);

builder.queryFields(t => ({
  apiKeys: t.field({
    type: ApiKeyConnection,
    description:
      'Reader, admin. The API keys, revoked and expired ones included, newest first. Nobody can read their secrets.',
    authScopes: { reader: true },
    args: pageArgs,
    resolve: (_root, args, { prisma }) =>
      page(args, {
        name: 'apiKeys',
        placeOf: ({ createdAt, id }: ApiKeyRow) => [String(createdAt.getTime()), id],
        parse: apiKeyPlace,
        load: ({ from, limit }) =>
          prisma.apiKey.findMany({
            include: { use: true },
            ...(from === null
              ? {}
              : { where: { OR: [{ createdAt: { lt: from.at } }, { createdAt: from.at, id: { lt: from.id } }] } }),
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take: limit,
          }),
      }),
  }),
}));

builder.objectType(ApiKeyExistsError, {
  name: 'ApiKeyExistsError',
  description: 'A key that is not revoked has this name already (`API_KEY_EXISTS`).',
  interfaces: [ErrorInterface],
});

builder.objectType(ApiKeyNotFoundError, {
  name: 'ApiKeyNotFoundError',
  description: 'No API key has this id (`API_KEY_NOT_FOUND`).',
  interfaces: [ErrorInterface],
});

builder.objectType(TooManyApiKeysError, {
  name: 'TooManyApiKeysError',
  description: 'There are as many API keys as there may be (`TOO_MANY_API_KEYS`). Revoked ones do not count.',
  interfaces: [ErrorInterface],
});

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'The key to make.',
  fields: t => ({
    name: t.string({
      required: true,
      description: `A name for people and logs, such as \`build server\`; 1 to ${maxNameLength} characters. No other key that is not revoked may have it.`,
    }),
    role: t.field({ type: ApiKeyRole, required: true, description: 'The role of the programs that use the key.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'The time when the key expires, in the future. Default: never.',
    }),
    note: t.string({ description: noteDescription }),
  }),
});

const CreateApiKeyPayload = builder
  .objectRef<{ readonly apiKey: ApiKeyShape; readonly secret: string } & Receipt>('CreateApiKeyPayload')
  .implement({
    description: 'The key was made.',
    fields: t => ({
      apiKey: t.field({ type: ApiKey, description: 'The new key.', resolve: ({ apiKey }) => keyRow(apiKey) }),
      secret: t.exposeString('secret', {
        description:
          'The secret: `hly_` and 43 characters. It is shown this once, because the server keeps only a hash of it.',
      }),
    }),
  });

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'The key to revoke.',
  fields: t => ({
    id: t.globalID({ required: true, description: 'The `id` of the key.' }),
    note: t.string({ description: noteDescription }),
  }),
});

const RevokeApiKeyPayload = builder.objectRef<{ readonly id: string } & Receipt>('RevokeApiKeyPayload').implement({
  description:
    'The key is revoked: every node refuses it and closes its connections, as soon as the change reaches the node.',
  fields: t => ({
    apiKey: t.prismaField({
      type: 'ApiKey',
      description: 'The key as it is stored now.',
      resolve: (query, { id }, _args, { prisma }) => prisma.apiKey.findUniqueOrThrow({ ...query, where: { id } }),
    }),
  }),
});

tellReceipt(CreateApiKeyPayload);
tellReceipt(RevokeApiKeyPayload);

/** A key that was just made, as the row that the type is built on. Nothing shows the hash. */
function keyRow(key: ApiKeyShape): ApiKeyRow & { use: null } {
  const { createdById } = key;
  return {
    ...key,
    createdById: createdById === null ? null : storedUserId(createdById),
    hash: new Uint8Array(),
    use: null,
  };
}

/** The UUID in the global id of a key. Any other text names no key. */
function keyIdOf({ typename, id }: { readonly typename: string; readonly id: string }): string {
  if (typename === 'ApiKey' && isUuid(id)) return id;
  throw new ApiKeyNotFoundError();
}

builder.mutationFields(t => ({
  createApiKey: t.field({
    type: CreateApiKeyPayload,
    description: 'Admin. Makes an API key for a program. The answer has its secret, which nobody can read later.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, ApiKeyExistsError, TooManyApiKeysError],
      union: { name: 'CreateApiKeyResult', description: 'The key with its secret, or an error.' },
    },
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The key to make.' }) },
    resolve: async (_root, { input }, { changes, caller, service }) => {
      const written = await changes().createApiKey(unchecked(input), authorOf(caller));
      // So that the secret works at once on this node. Were it not so, the secret must be told all the same: nobody has it else.
      await service.apiKeys?.reach(written.revision).catch(() => {});
      return receipt(written, written.value);
    },
  }),
  revokeApiKey: t.field({
    type: RevokeApiKeyPayload,
    description: 'Admin. Revokes an API key for ever. Succeeds also if it is revoked already.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, ApiKeyNotFoundError],
      union: { name: 'RevokeApiKeyResult', description: 'The revoked key, or an error.' },
    },
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'The key to revoke.' }) },
    resolve: async (_root, { input: { id, note } }, { changes, caller }) => {
      const written = await changes().revokeApiKey(unchecked({ id: keyIdOf(id), note }), authorOf(caller));
      return receipt(written, { id: written.value.id });
    },
  }),
}));
