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
import { type Viewer, viewerName, viewerNow } from './viewer.js';

interface GlobalId {
  readonly typename: string;
  readonly id: string;
}

interface NodeType {
  /** The callers that may read objects of this type: `viewer` callers read their own, `reader` callers all of them. */
  readonly scope: 'viewer' | 'reader';
  /** Whether an object of this type that the caller may read can have this id. */
  readonly isId: (id: string, context: Context) => boolean;
}

/** The types that have global ids. */
const types: ReadonlyMap<string, NodeType> = new Map<string, NodeType>([
  ['Flag', { scope: 'reader', isId: isUuid }],
  ['User', { scope: 'reader', isId: isUuid }],
  ['Group', { scope: 'reader', isId: isName }],
  ['Override', { scope: 'reader', isId: isOverrideId }],
  ['Change', { scope: 'reader', isId: isChangeId }],
  ['ApiKey', { scope: 'reader', isId: isUuid }],
  ['Viewer', { scope: 'viewer', isId: (id, { caller }) => id === viewerName(caller) }],
  ['Feature', { scope: 'viewer', isId: isFlagKey }],
]);

/** Reads objects. One that does not exist, or that the caller may not read, is null. */
async function readNodes(
  ids: readonly GlobalId[],
  context: Context,
  info: GraphQLResolveInfo,
): Promise<(object | null)[]> {
  const scopes = authScopes(context);
  const readable = ids.map(({ typename, id }) => {
    const type = types.get(typename);
    return type !== undefined && scopes[type.scope] && type.isId(id, context) ? type.scope : null;
  });
  const stored = ids.map((id, index) => (readable[index] === 'reader' ? id : null));
  const [rows, viewer] = await Promise.all([
    resolveNodes(builder, context, info, stored) as Promise<(object | null)[]>,
    readable.includes('viewer') ? viewerNow(context, context.questions) : null,
  ]);
  return ids.map((id, index) =>
    viewer !== null && readable[index] === 'viewer' ? ownNode(id, viewer) : (rows[index] ?? null),
  );
}

/** The viewer, or one of its features. */
function ownNode({ typename: __typename, id }: GlobalId, viewer: typeof Viewer.$inferType): object | null {
  if (__typename === 'Viewer') return { __typename, ...viewer };
  const feature = viewer.evaluator.evaluate(id);
  return feature.reason === 'FLAG_NOT_FOUND' ? null : { __typename, ...feature };
}

builder.queryFields(t => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description:
      'Reader, admin, or any caller for its own `Viewer` and `Feature`s. The object with this global id. Null if there is none, or if the caller may not see it.',
    args: {
      id: t.arg.globalID({ required: true, description: 'The global id: the value of the field `id` of an object.' }),
    },
    resolve: async (_root, { id }, context, info) => (await readNodes([id], context, info))[0] ?? null,
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Reader, admin, or any caller for its own \`Viewer\` and \`Feature\`s. The objects with these global ids, at most ${maxPageSize}, in the order of \`ids\`. An entry is null where \`node\` answers null.`,
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
