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
  description: 'An error that the caller of a mutation or a preview can cause. It is returned instead of the payload.',
  fields: t => ({
    code: t.exposeString('code', { description: 'The error code. It is stable, so programs can compare it.' }),
    message: t.exposeString('message', { description: 'The message, for people. Its text may change.' }),
    path: t.stringList({
      nullable: true,
      description:
        'The path from `input` to the wrong field, such as `["conditions", "attributes", "tier", "gte"]`. Null if no field is wrong.',
      resolve: error => error.path,
    }),
  }),
});

const ValidationIssue = builder.objectRef<Issue>('ValidationIssue').implement({
  description: 'One fault in an input.',
  fields: t => ({
    path: t.stringList({ description: 'The path from `input` to the wrong field.', resolve: ({ path }) => path }),
    message: t.exposeString('message', { description: 'The fault, and the value that is expected instead.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input is not valid (`BAD_USER_INPUT`). Nothing was changed.',
  interfaces: [ErrorInterface],
  fields: t => ({
    issues: t.field({
      type: [ValidationIssue],
      description:
        'The faults, at most 100. If there are more, the last one has an empty path and says how many. `message` and `path` of the error are those of the first fault.',
      resolve: ({ issues }) => issues,
    }),
  }),
});

builder.objectType(FlagExistsError, {
  name: 'FlagExistsError',
  description: 'A flag with this key already exists (`FLAG_EXISTS`).',
  interfaces: [ErrorInterface],
});

builder.objectType(FlagNotFoundError, {
  name: 'FlagNotFoundError',
  description: 'No flag has this key (`FLAG_NOT_FOUND`).',
  interfaces: [ErrorInterface],
});

builder.objectType(VersionConflictError, {
  name: 'VersionConflictError',
  description:
    'The flag is not at the expected version, because somebody else changed it (`VERSION_CONFLICT`). Nothing was changed.',
  interfaces: [ErrorInterface],
  fields: t => ({
    flag: t.field({ type: Flag, description: 'The flag as it is stored now.', resolve: ({ flag }) => flagRow(flag) }),
  }),
});
