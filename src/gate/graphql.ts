/** The entry point `halyard/graphql`: gates for the fields of any GraphQL schema that graphql-js executes. */

export {
  type ClosedField,
  type FieldFunction,
  type GatedFieldOptions,
  gatedField,
} from './field.js';
export { type GatedSubscriptionOptions, gatedSubscription, type SubscriptionField } from './subscription.js';
