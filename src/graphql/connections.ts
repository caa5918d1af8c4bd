import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';

/** How many items a page has by default. */
export const defaultPageSize = 20;
/** The most items that a page may have. */
export const maxPageSize = 100;
/**
 * Longest cursor or global id, in UTF-16 code units. No longer one is ours, so it is not decoded. The longest cursor holds
 * the name of a flag, of up to 800 bytes, with its key: 1,230 characters.
 */
export const maxOpaqueLength = 1_500;

interface SizeArgs {
  readonly first?: number | null | undefined;
  readonly last?: number | null | undefined;
}

/** The most items that a page with these arguments can have. */
export function pageSize({ first, last }: SizeArgs): number {
  // A negative size is refused later; here it must not make other fields cheaper.
  return Math.max(0, first ?? last ?? defaultPageSize);
}

const pluginName = 'connections' as const;

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      connections: ConnectionsPlugin<Types>;
    }
  }
}

/** Multiplies the cost of the fields below every list that takes `first` by the size of its page. */
class ConnectionsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    if (!('first' in field.args)) return field;
    const complexity = (args: SizeArgs) => ({ field: 1, multiplier: pageSize(args) });
    return { ...field, pothosOptions: { ...field.pothosOptions, complexity } } as typeof field;
  }
}

SchemaBuilder.registerPlugin(pluginName, ConnectionsPlugin);

export { pluginName as connectionsPlugin };
