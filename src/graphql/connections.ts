import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { badUserInput } from './errors.js';

/** How many items a page has by default. */
export const defaultPageSize = 20;
/** The most items that a page may have. */
export const maxPageSize = 100;
/** Longest cursor or global id, in UTF-16 code units. No longer one is ours, so it is not decoded. */
export const maxOpaqueLength = 1_000;

interface SizeArgs {
  readonly first?: number | null | undefined;
  readonly last?: number | null | undefined;
}

/** The most items that a page with these arguments can have. */
export function pageSize({ first, last }: SizeArgs): number {
  return first ?? last ?? defaultPageSize;
}

const pluginName = 'connections' as const;

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      connections: ConnectionsPlugin<Types>;
    }
  }
}

/**
 * Gives every field that takes `first` the same rules, whichever library made it. A page that is too large is refused (the
 * libraries would return fewer items without saying so), the cost of the fields below is multiplied by the page size, and a
 * cursor that is too long is not decoded.
 */
class ConnectionsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    if (field.name === 'totalCount') {
      return { ...field, description: field.description ?? 'The number of items on all pages together.' };
    }
    if (!('first' in field.args)) return field;
    const complexity = (args: SizeArgs) => ({ field: 1, multiplier: pageSize(args) });
    return {
      ...field,
      argMappers: [...field.argMappers, withoutLongCursors],
      pothosOptions: { ...field.pothosOptions, complexity },
    } as typeof field;
  }

  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], SizeArgs>,
    field: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], SizeArgs> {
    if (!('first' in field.args)) return resolve;
    return (parent, args, context, info) => {
      checkPageSize(args);
      return resolve(parent, args, context, info);
    };
  }
}

/** A cursor of no list: it names the place U+0000. */
const foreignCursor = 'AA==';

/**
 * A cursor that is too long is replaced by one that is refused at once. It cannot be refused here: arguments are mapped
 * before it is known whether the caller may see the field.
 */
function withoutLongCursors(args: Record<string, unknown>): Record<string, unknown> {
  const isLong = (name: string) => {
    const cursor = args[name];
    return typeof cursor === 'string' && cursor.length > maxOpaqueLength;
  };
  const long = ['after', 'before'].filter(isLong);
  return long.length === 0 ? args : { ...args, ...Object.fromEntries(long.map(name => [name, foreignCursor])) };
}

function checkPageSize(args: SizeArgs): void {
  for (const name of ['first', 'last'] as const) {
    const size = args[name];
    if (size != null && (size < 0 || size > maxPageSize)) {
      throw badUserInput({ path: [name], message: `Expected 0 to ${maxPageSize}, found ${size}.` });
    }
  }
}

SchemaBuilder.registerPlugin(pluginName, ConnectionsPlugin);

export { pluginName as connectionsPlugin };
