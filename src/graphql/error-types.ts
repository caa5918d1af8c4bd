import {
  type FeatureError,
  FlagExistsError,
  FlagNotFoundError,
  type Issue,
  ValidationError,
  VersionConflictError,
} from '../core/errors.js';
import { builder } from './builder.js';
import { Flag, flagRow } from './flag.js';

export const ErrorInterface = builder.interfaceRef<FeatureError>('Error').implement({
  description: 'What an admin can get wrong. A mutation answers with one of these instead of its payload.',
  fields: t => ({
    code: t.exposeString('code', { description: 'Stable, for programs.' }),
    message: t.exposeString('message', { description: 'For people.' }),
    path: t.stringList({
      nullable: true,
      description: 'The input field at fault, from the input down: `["conditions", "attributes", "tier", "gte"]`.',
      resolve: error => error.path,
    }),
  }),
});

const ValidationIssue = builder.objectRef<Issue>('ValidationIssue').implement({
  description: 'One fault of an input.',
  fields: t => ({
    path: t.stringList({ description: 'The input field at fault, from the input down.', resolve: ({ path }) => path }),
    message: t.exposeString('message', { description: 'What is wrong there and what would be right.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input is wrong (`BAD_USER_INPUT`). Nothing was changed.',
  interfaces: [ErrorInterface],
  fields: t => ({
    issues: t.field({
      type: [ValidationIssue],
      description:
        'The faults, at most 100: where there are more, the last one has no path and says how many. `message` and `path` of the error are those of the first.',
      resolve: ({ issues }) => issues,
    }),
  }),
});

builder.objectType(FlagExistsError, {
  name: 'FlagExistsError',
  description: 'A flag with this key exists already (`FLAG_EXISTS`).',
  interfaces: [ErrorInterface],
});

builder.objectType(FlagNotFoundError, {
  name: 'FlagNotFoundError',
  description: 'There is no flag with this key (`FLAG_NOT_FOUND`).',
  interfaces: [ErrorInterface],
});

builder.objectType(VersionConflictError, {
  name: 'VersionConflictError',
  description: 'Somebody changed the flag since the expected version (`VERSION_CONFLICT`). Nothing was changed now.',
  interfaces: [ErrorInterface],
  fields: t => ({
    flag: t.field({ type: Flag, description: 'The flag as it is.', resolve: ({ flag }) => flagRow(flag) }),
  }),
});
