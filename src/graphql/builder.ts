import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin, { decodeGlobalID } from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import type { JsonObject } from '../core/json.js';
import type PrismaTypes from '../generated/pothos.js';
import { getDatamodel } from '../generated/pothos.js';
import { connectionsPlugin, defaultPageSize, maxOpaqueLength, maxPageSize } from './connections.js';
import type { Context } from './context.js';
import { forbidden, tooCostly, unauthenticated } from './errors.js';

/** What one operation may cost. A field costs 1; a list multiplies what is below it by the rows that it may have. */
export const operationLimits = { complexity: 100_000, depth: 15, breadth: 1_000 } as const;

const noId = { typename: '', id: '' };

export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  AuthScopes: {
    /** May ask for the caller's own features. */
    viewer: boolean;
    /** May evaluate a context that it states. */
    evaluator: boolean;
    /** May read and change everything. */
    admin: boolean;
  };
  Scalars: {
    ID: { Input: string; Output: string | number };
    UUID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: JsonObject; Output: object };
    Conditions: { Input: unknown; Output: unknown };
  };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
}>({
  // Outermost first: who may not see a field learns nothing from its arguments.
  plugins: [ScopeAuthPlugin, ErrorsPlugin, RelayPlugin, PrismaPlugin, ComplexityPlugin, connectionsPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ caller, allowAnonymous }) => ({
      viewer: allowAnonymous || caller.role !== 'ANONYMOUS',
      evaluator: caller.role === 'SERVICE' || caller.role === 'ADMIN',
      admin: caller.role === 'ADMIN',
    }),
    unauthorizedError: (_parent, { caller }) => (caller.role === 'ANONYMOUS' ? unauthenticated() : forbidden()),
  },
  errors: { directResult: true },
  prisma: {
    client: ({ prisma }) => prisma,
    dmmf: getDatamodel(),
    defaultConnectionSize: defaultPageSize,
    maxConnectionSize: maxPageSize,
    filterConnectionTotalCount: true,
  },
  complexity: { limit: operationLimits, defaultListMultiplier: defaultPageSize, complexityError: tooCostly },
  relay: {
    cursorType: 'String',
    // What is no id of ours is the id of nothing: node.ts answers null.
    decodeGlobalID: id => {
      try {
        return id.length > maxOpaqueLength ? noId : decodeGlobalID(id);
      } catch {
        return noId;
      }
    },
    nodesOnConnection: {
      description: 'The nodes of the edges, for who needs no cursors.',
      complexity: { multiplier: 1 },
    },
    nodeTypeOptions: { description: 'An object that can be fetched again by its `id`.' },
    idFieldOptions: { description: 'An id that is unique over all types, for `node(id:)` and client caches.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    pageInfoFieldOptions: { description: 'Where this page stands.' },
    pageInfoTypeOptions: { description: 'Where a page of a list stands.' },
    hasNextPageFieldOptions: { description: 'Whether more follow after `endCursor`.' },
    hasPreviousPageFieldOptions: { description: 'Whether more stand before `startCursor`.' },
    startCursorFieldOptions: {
      description: 'The cursor of the first edge; null when the page is empty.',
      nullable: true,
    },
    endCursorFieldOptions: { description: 'The cursor of the last edge; null when the page is empty.', nullable: true },
    edgesFieldOptions: {
      description: 'The items of this page, each with its cursor.',
      nullable: { list: false, items: false },
      // The connection above has counted its items already.
      complexity: { multiplier: 1 },
    },
    nodeFieldOptions: { description: 'The item.', nullable: false },
    cursorFieldOptions: { description: 'Names this place in the list, for `after` and `before`.' },
    firstArgOptions: { description: `How many to return, up to ${maxPageSize}. Not stated: ${defaultPageSize}.` },
    afterArgOptions: { description: 'Return what follows on this cursor.' },
    lastArgOptions: { description: `How many to return from the end, up to ${maxPageSize}.` },
    beforeArgOptions: { description: 'Return what stands before this cursor.' },
    defaultConnectionTypeOptions: { description: 'A page of a list.' },
    defaultEdgeTypeOptions: { description: 'An item of a list, with its place.' },
  },
});
