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
  return builder.toSchema({ sortSchema: false });
}
