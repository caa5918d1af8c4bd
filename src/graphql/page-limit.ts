import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { badUserInput } from './errors.js';

/** How many items a page has when nobody says. */
export const defaultPageSize = 20;
/** How many items a page may have. */
export const maxPageSize = 100;

/** @throws GraphQLError `BAD_USER_INPUT` when `first` or `last` is not a size that a page can have. */
export function checkPageSize(args: { readonly first?: unknown; readonly last?: unknown }): void {
  for (const name of ['first', 'last'] as const) {
    const size = args[name];
    if (typeof size === 'number' && (size < 0 || size > maxPageSize)) {
      throw badUserInput({ path: [name], message: `Expected 0 to ${maxPageSize}.` });
    }
  }
}

const pluginName = 'pageLimit' as const;

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      pageLimit: PageLimitPlugin<Types>;
    }
  }
}

/** Refuses a page that is too large on every field that takes `first`: the libraries would quietly return fewer. */
class PageLimitPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    field: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    if (!('first' in field.args)) return resolve;
    return (parent, args, context, info) => {
      checkPageSize(args);
      return resolve(parent, args, context, info);
    };
  }
}

SchemaBuilder.registerPlugin(pluginName, PageLimitPlugin);

export { pluginName as pageLimitPlugin };
