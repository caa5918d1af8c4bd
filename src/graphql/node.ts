import { resolveNodes } from '@pothos/plugin-relay';
import type { GraphQLResolveInfo } from 'graphql';
import { isFlagKey } from '../core/flag.js';
import { isName } from '../core/text.js';
import { isUuid } from '../core/user-id.js';
import { authScopes, builder } from './builder.js';
import { isChangeId } from './change.js';
import { maxPageSize } from './connections.js';
import type { Context } from './context.js';
import { badUserInput } from './errors.js';
import { isOverrideId } from './override.js';
import { viewerName, viewerNow } from './viewer.js';

interface GlobalId {
  readonly typename: string;
  readonly id: string;
}

/** Of each type that has global ids: the callers that may see it, and the ids that its objects can have. */
const types: Readonly<
  Record<string, { readonly scope: 'viewer' | 'admin'; isId(id: string, context: Context): boolean }>
> = {
  Flag: { scope: 'admin', isId: isUuid },
  User: { scope: 'admin', isId: isUuid },
  Group: { scope: 'admin', isId: isName },
  Override: { scope: 'admin', isId: isOverrideId },
  Change: { scope: 'admin', isId: isChangeId },
  Viewer: { scope: 'viewer', isId: (id, { caller }) => id === viewerName(caller) },
  Feature: { scope: 'viewer', isId: isFlagKey },
};

/** Reads the objects of one operation. An object that does not exist, or that the caller may not see, is null. */
async function readNodes(
  ids: readonly GlobalId[],
  context: Context,
  info: GraphQLResolveInfo,
): Promise<(object | null)[]> {
  const scopes = authScopes(context);
  const visible = ids.map(globalId => {
    const type = Object.hasOwn(types, globalId.typename) ? types[globalId.typename] : undefined;
    return type !== undefined && scopes[type.scope] && type.isId(globalId.id, context) ? globalId : null;
  });
  const isOwn = (globalId: GlobalId | null) => globalId !== null && types[globalId.typename]?.scope === 'viewer';
  const stored = resolveNodes(
    builder,
    context,
    info,
    visible.map(globalId => (isOwn(globalId) ? null : globalId)),
  );
  const viewer = visible.some(isOwn) ? await viewerNow(context) : null;
  return (await stored).map((node, index) => {
    const globalId = visible[index];
    if (viewer === null || globalId == null || !isOwn(globalId)) return node as object | null;
    const { typename: __typename, id } = globalId;
    if (__typename === 'Viewer') return { __typename, ...viewer };
    const feature = viewer.evaluator.evaluate(id);
    return feature.reason === 'FLAG_NOT_FOUND' ? null : { __typename, ...feature };
  });
}

builder.queryFields(t => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description:
      'Admin. The object with this global id. Null if there is none, or if the caller may not see it: everybody may see the own `Viewer` and its `Feature`s.',
    args: {
      id: t.arg.globalID({ required: true, description: 'The global id: the value of the field `id` of an object.' }),
    },
    resolve: async (_root, { id }, context, info) => (await readNodes([id], context, info))[0] ?? null,
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Admin. The objects with these global ids, at most ${maxPageSize}, in the order of \`ids\`. An entry is null where \`node\` answers null.`,
    args: {
      ids: t.arg.globalIDList({ required: true, description: 'The global ids: values of the field `id` of objects.' }),
    },
    complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
    resolve: (_root, { ids }, context, info) => {
      if (ids.length > maxPageSize) {
        throw badUserInput({ path: ['ids'], message: `Expected at most ${maxPageSize} ids, found ${ids.length}.` });
      }
      return readNodes(ids, context, info);
    },
  }),
}));
