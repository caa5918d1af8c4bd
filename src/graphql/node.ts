import { resolveNodes } from '@pothos/plugin-relay';
import { isUuid } from '../core/user-id.js';
import { builder } from './builder.js';
import { maxPageSize } from './connections.js';
import type { Context } from './context.js';
import { badUserInput } from './errors.js';

interface GlobalId {
  readonly typename: string;
  readonly id: string;
}

/** The id, if there may be such an object and the caller may see it: only admins may see any. */
function visible(globalId: GlobalId, { caller }: Context): GlobalId | null {
  const { typename, id } = globalId;
  return caller.role === 'ADMIN' && (typename === 'Flag' || typename === 'User') && isUuid(id) ? globalId : null;
}

builder.queryFields(t => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'Admin. Any object by its global id; null when there is none, or when the caller may not see it.',
    args: { id: t.arg.globalID({ required: true, description: 'What the `id` field of an object said.' }) },
    resolve: async (_root, { id }, context, info) => {
      const [node] = await resolveNodes(builder, context, info, [visible(id, context)]);
      return node as object | null;
    },
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Admin. Like \`node\`, for up to ${maxPageSize} ids; the answers stand in the order of the ids.`,
    args: { ids: t.arg.globalIDList({ required: true, description: 'What the `id` fields of objects said.' }) },
    complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
    resolve: async (_root, { ids }, context, info) => {
      if (ids.length > maxPageSize) {
        throw badUserInput({ path: ['ids'], message: `Expected at most ${maxPageSize} ids.` });
      }
      const nodes = ids.map(id => visible(id, context));
      return (await resolveNodes(builder, context, info, nodes)) as (object | null)[];
    },
  }),
}));
