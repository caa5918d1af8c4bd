/** Gates for the fields of any GraphQL schema: graphql-js, graphql-tools and what builds on them. */

export {
  type ClosedField,
  type FieldFunction,
  type GatedFieldOptions,
  gatedField,
} from './field.js';
export { type GatedSubscriptionOptions, gatedSubscription, type SubscriptionField } from './subscription.js';
