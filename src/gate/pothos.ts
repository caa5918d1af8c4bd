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
 * The plugin's name, for the builder's `plugins`. Plugins listed before it act first. List it after ScopeAuthPlugin: users
 * without access to a field then learn nothing about its feature. After ErrorsPlugin, `errors.types` can turn the error into
 * data.
 *
 * @example
 * const builder = new SchemaBuilder<{ Context: Context }>({
 *   plugins: [HalyardPlugin],
 *   halyard: { features, user: context => context.user },
 * });
 * builder.queryField('search', t => t.string({ requireFeature: 'new_search', resolve: () => 'found' }));
 */
export const HalyardPlugin = 'halyard';

/** The options that all gates of a schema share. */
export interface HalyardPluginOptions<Types extends SchemaTypes>
  extends Pick<
    GatedSubscriptionOptions<Types['Context'], Types['FeatureUser']>,
    'features' | 'user' | 'device' | 'whenUnknown'
  > {}

/** A gate with its own answers. */
export interface FieldGate<Soft extends boolean = boolean> extends Omit<ClosedField, 'soft'> {
  readonly key: FeatureKey;
  /** Answers null instead of an error. Only for nullable fields. */
  readonly soft?: Soft;
}

/** The type of `soft` for a field with this `nullable`. */
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
      /** The type that `halyard.user` returns, if `createFeatures` has a mapping from your own user objects. */
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
       * Resolves this field only for users with the feature; other users get an error with the code `FEATURE_DISABLED`. A
       * subscription ends with that error when the feature goes off.
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
    // The gate of a subscription has checked the feature when the user subscribed.
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

// Pothos finds plugins by their name, which a module registers when it is loaded.
SchemaBuilder.registerPlugin(HalyardPlugin, PothosHalyardPlugin);
