import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin, { decodeGlobalID } from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { isCounted, mayStateContext } from '../auth/caller.js';
import type { JsonObject } from '../core/json.js';
import type PrismaTypes from '../generated/pothos.js';
import { getDatamodel } from '../generated/pothos.js';
import { connectionsPlugin, defaultPageSize, maxOpaqueLength } from './connections.js';
import type { Context } from './context.js';
import { forbidden, tooCostly, unauthenticated } from './errors.js';

/**
 * The most that one operation may cost. A field costs 1; a list multiplies the cost of the fields below it by the most items
 * that it can have.
 */
export const costLimits = { complexity: 100_000, depth: 15, breadth: 1_000 } as const;

const noId = { typename: '', id: '' };

/** What a caller may do; see `AuthScopes` below. */
export const authScopes = ({ caller, allowAnonymous }: Context) => ({
  viewer: allowAnonymous || caller.role !== 'ANONYMOUS',
  reporter: isCounted(caller),
  evaluator: mayStateContext(caller),
  reader: caller.role === 'READER' || caller.role === 'ADMIN',
  admin: caller.role === 'ADMIN',
});

export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  AuthScopes: {
    /** May ask for the caller's own features. */
    viewer: boolean;
    /** May report which flags it has read. */
    reporter: boolean;
    /** May evaluate any context that the query names. */
    evaluator: boolean;
    /** May read everything. */
    reader: boolean;
    /** May read and change everything. */
    admin: boolean;
  };
  Scalars: {
    ID: { Input: string; Output: string | number };
    UserID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: JsonObject; Output: object };
    JSON: { Input: unknown; Output: unknown };
    Conditions: { Input: unknown; Output: unknown };
    UUID: { Input: string; Output: string };
  };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
}>({
  // Plugins run outermost first: a caller without access to a field gets no error about its arguments either.
  plugins: [ScopeAuthPlugin, ErrorsPlugin, RelayPlugin, PrismaPlugin, ComplexityPlugin, connectionsPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes,
    unauthorizedError: (_parent, { caller }) => (caller.role === 'ANONYMOUS' ? unauthenticated() : forbidden(caller)),
  },
  errors: { directResult: true },
  prisma: {
    client: ({ prisma }) => prisma,
    dmmf: getDatamodel(),
  },
  complexity: { limit: costLimits, defaultListMultiplier: defaultPageSize, complexityError: tooCostly },
  relay: {
    cursorType: 'String',
    // Text that is no global id of this API belongs to no object: node.ts answers null.
    decodeGlobalID: id => {
      try {
        return id.length > maxOpaqueLength ? noId : decodeGlobalID(id);
      } catch {
        return noId;
      }
    },
    nodesOnConnection: {
      description: 'The items of this page without their cursors.',
      complexity: { multiplier: 1 },
    },
    nodeTypeOptions: { description: 'An object that can be read again by its `id`.' },
    idFieldOptions: { description: 'The global id: unique across all types, for `node(id:)` and client caches.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    pageInfoFieldOptions: { description: 'The position of this page in the list.' },
    pageInfoTypeOptions: { description: 'The position of a page in its list.' },
    hasNextPageFieldOptions: { description: 'Whether more items follow after `endCursor`.' },
    hasPreviousPageFieldOptions: { description: 'Whether more items come before `startCursor`.' },
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
    cursorFieldOptions: { description: 'The position of this item in the list. Pass it as `after` or `before`.' },
    defaultConnectionTypeOptions: { description: 'A page of a list.' },
    defaultEdgeTypeOptions: { description: 'An item of a list, with its cursor.' },
  },
});

/**
 * Passes the input of a mutation on as GraphQL coerced it, with nulls in place of values and any JSON as conditions. The
 * management call checks all of it and names its faults.
 */
export function unchecked<Input>(input: object): Input {
  return input as Input;
}
