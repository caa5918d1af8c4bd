import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.js';
import './scalars.js';
import './evaluation.js';
import './viewer.js';
import './flag.js';
import './user.js';
import './override.js';
import './group.js';
import './change.js';
import './error-types.js';
import './node.js';
import './live.js';

builder.queryType({ description: 'Ask for features, and read what they stand on.' });
builder.mutationType({ description: 'Change flags, groups, overrides and users. For admins.' });
builder.subscriptionType({ description: 'Be sent what changes.' });

/** The whole schema. */
export function createSchema(): GraphQLSchema {
  const schema = builder.toSchema({ sortSchema: false });
  schema.description =
    'Feature flags: which are on, for whom and why, live. ' +
    '`viewer` and `viewerFeatures` answer for whoever asks; the rest is for services and admins, each field says for whom.';
  return schema;
}
