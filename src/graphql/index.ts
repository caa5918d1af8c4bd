import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.js';
import './scalars.js';
import './evaluation.js';
import './feature.js';
import './viewer.js';
import './flag.js';
import './flag-list.js';
import './user.js';
import './user-list.js';
import './attribute-values.js';
import './override.js';
import './preview.js';
import './explanation.js';
import './usage.js';
import './receipts.js';
import './group.js';
import './change.js';
import './api-key.js';
import './bulk.js';
import './error-types.js';
import './restore.js';
import './node.js';
import './live.js';
import './server.js';

builder.queryType({
  description: 'Reads: the answers for features, and the flags, groups, overrides and users behind them.',
});
builder.mutationType({
  description: 'Changes to flags, groups, overrides and users, for admins; and reports of used flags.',
});
builder.subscriptionType({ description: 'Live updates.' });

/** The whole schema. */
export function createSchema(): GraphQLSchema {
  const schema = builder.toSchema({ sortSchema: false });
  schema.description =
    'Feature flags: the features that are on for a user, the reasons, and live updates. ' +
    'Everybody may use `viewer`, `viewerFeatures` and `isEnabled`, which answer for the caller. ' +
    'The other fields are for services, readers and admins, but for `reportUsage`: their descriptions begin with the roles that may use them.';
  return schema;
}
