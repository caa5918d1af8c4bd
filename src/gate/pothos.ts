/** A plugin for Pothos: `requireFeature` as an option of fields. */

import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type PothosOutputFieldConfig,
  PothosSchemaError,
  type SchemaTypes,
  type TypeParam,
} from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { FeatureKey } from '../core/feature-key.js';
import type { FeatureUser } from '../features/features.js';
import { type ClosedField, gatedField } from './field.js';
import { type GatedSubscriptionOptions, gatedEvents, gatedSubscribe } from './subscription.js';

/**
 * The plugin's name, for the builder's `plugins`. Plugins listed before it act first: after ScopeAuthPlugin, who may not
 * see a field learns nothing of its feature; after ErrorsPlugin, `errors.types` may turn the error into data.
 *
 * @example
 * const builder = new SchemaBuilder<{ Context: Context }>({
 *   plugins: [HalyardPlugin],
 *   halyard: { features, user: context => context.user },
 * });
 * builder.queryField('search', t => t.string({ requireFeature: 'new_search', resolve: () => 'found' }));
 */
export const HalyardPlugin = 'halyard';

/** What all gates of a schema have in common. */
export interface HalyardPluginOptions<Types extends SchemaTypes>
  extends Pick<GatedSubscriptionOptions<Types['Context'], Types['FeatureUser']>, 'features' | 'user' | 'whenUnknown'> {}

/** A gate with answers of its own. */
export interface FieldGate<Soft extends boolean = boolean> extends Omit<ClosedField, 'soft'> {
  readonly key: FeatureKey;
  /** Answers null in place of an error. Only for fields that may be null. */
  readonly soft?: Soft;
}

/** What `soft` may be where this is `nullable`. */
type SoftWhere<Nullable> = Nullable extends false | { readonly list: false } ? false : boolean;

declare global {
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      halyard: PothosHalyardPlugin<Types>;
    }

    interface SchemaBuilderOptions<Types extends SchemaTypes> {
      /** For {@link HalyardPlugin}. */
      halyard?: HalyardPluginOptions<Types>;
    }

    interface UserSchemaTypes {
      /** What `halyard.user` returns, where `createFeatures` was given a mapping from user objects of your own. */
      FeatureUser: unknown;
    }

    interface ExtendDefaultTypes<PartialTypes extends Partial<UserSchemaTypes>> {
      FeatureUser: unknown extends PartialTypes['FeatureUser'] ? FeatureUser : PartialTypes['FeatureUser'];
    }

    interface FieldOptions<
      Types extends SchemaTypes,
      ParentShape,
      Type extends TypeParam<Types>,
      Nullable extends FieldNullability<Type>,
      Args extends InputFieldMap,
      ResolveShape,
      ResolveReturnShape,
    > {
      /**
       * Resolves this field only for those for whom the feature is on; others get an error with the code
       * `FEATURE_DISABLED`. A subscription ends with that error when the feature goes off.
       */
      requireFeature?: FeatureKey | FieldGate<SoftWhere<Nullable>>;
    }
  }
}

type Resolver<Types extends SchemaTypes> = GraphQLFieldResolver<unknown, Types['Context'], object>;

type Subscriber<Types extends SchemaTypes> = GraphQLFieldResolver<
  unknown,
  Types['Context'],
  object,
  AsyncIterable<unknown>
>;

export class PothosHalyardPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(fieldConfig: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const gate = gateOf(fieldConfig);
    if (gate === null) return fieldConfig;
    const field = `${fieldConfig.parentType}.${fieldConfig.name}`;
    if (this.builder.options.halyard === undefined) {
      throw new PothosSchemaError(
        `The field ${field} requires a feature: the schema builder needs \`halyard: { features }\`.`,
      );
    }
    if (gate.soft && !fieldConfig.type.nullable) {
      throw new PothosSchemaError(`The field ${field} cannot be null, as \`soft\` would have it: make it nullable.`);
    }
    return fieldConfig;
  }

  override wrapResolve(resolve: Resolver<Types>, fieldConfig: PothosOutputFieldConfig<Types>): Resolver<Types> {
    const gate = this.#gate(fieldConfig);
    if (gate === null) return resolve;
    // A subscription has been let in when it subscribed.
    return fieldConfig.kind === 'Subscription' ? gatedEvents(gate, resolve) : gatedField(gate.key, gate)(resolve);
  }

  override wrapSubscribe(
    subscribe: Resolver<Types> | undefined,
    fieldConfig: PothosOutputFieldConfig<Types>,
  ): Resolver<Types> | undefined {
    const gate = this.#gate(fieldConfig);
    return gate === null || subscribe === undefined
      ? subscribe
      : gatedSubscribe(gate.key, gate, subscribe as Subscriber<Types>);
  }

  #gate(fieldConfig: PothosOutputFieldConfig<Types>) {
    const gate = gateOf(fieldConfig);
    const { halyard } = this.builder.options;
    return gate === null || halyard === undefined ? null : { ...halyard, ...gate };
  }
}

function gateOf<Types extends SchemaTypes>(fieldConfig: PothosOutputFieldConfig<Types>): FieldGate | null {
  const { requireFeature } = fieldConfig.pothosOptions;
  if (requireFeature === undefined) return null;
  return typeof requireFeature === 'string' ? { key: requireFeature } : (requireFeature as FieldGate);
}

// How Pothos learns of plugins: by name, when their module is loaded.
SchemaBuilder.registerPlugin(HalyardPlugin, PothosHalyardPlugin);
