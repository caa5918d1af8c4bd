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

/** Returns the id if the caller may see such an object, otherwise null: only admins may see any. */
function visible(globalId: GlobalId, { caller }: Context): GlobalId | null {
  const { typename, id } = globalId;
  return caller.role === 'ADMIN' && (typename === 'Flag' || typename === 'User') && isUuid(id) ? globalId : null;
}

builder.queryFields(t => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'Admin. The object with this global id. Null if there is none, or if the caller may not see it.',
    args: {
      id: t.arg.globalID({ required: true, description: 'The global id: the value of the field `id` of an object.' }),
    },
    resolve: async (_root, { id }, context, info) => {
      const [node] = await resolveNodes(builder, context, info, [visible(id, context)]);
      return node as object | null;
    },
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Admin. The objects with these global ids, at most ${maxPageSize}, in the order of \`ids\`. An entry is null where \`node\` answers null.`,
    args: {
      ids: t.arg.globalIDList({ required: true, description: 'The global ids: values of the field `id` of objects.' }),
    },
    complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
    resolve: async (_root, { ids }, context, info) => {
      if (ids.length > maxPageSize) {
        throw badUserInput({ path: ['ids'], message: `Expected at most ${maxPageSize} ids, found ${ids.length}.` });
      }
      const nodes = ids.map(id => visible(id, context));
      return (await resolveNodes(builder, context, info, nodes)) as (object | null)[];
    },
  }),
}));
