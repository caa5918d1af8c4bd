import type { CacheExchangeOpts } from '@urql/exchange-graphcache';

/** Parts of others: they have no id, and are kept with what they are part of. */
const parts = [
  'AttributeValue',
  'AttributeValues',
  'ChangeConnection',
  'ConditionOutcome',
  'Difference',
  'Explanation',
  'ExplanationStep',
  'Evaluation',
  'FlagConnection',
  'FlagOwner',
  'FlagPreview',
  'FlagRule',
  'FlagTag',
  'Share',
  'Staleness',
  'UsagePoint',
  'Variant',
  'UserConnection',
  'GroupConnection',
  'ApiKeyConnection',
  'FlagOverridesConnection',
  'UserOverridesConnection',
  'GroupMembersConnection',
  'GroupMembersEdge',
  'PageInfo',
  'FlagAudience',
  'Propagation',
  'FeaturesUpdate',
];

/** The errors of mutations. Without them the cache would drop the fields of `... on Error`. */
export const errorTypes = [
  'ApiKeyExistsError',
  'ApiKeyNotFoundError',
  'ConfirmationRequiredError',
  'ConflictsError',
  'FlagExistsError',
  'FlagNotFoundError',
  'RevisionNotFoundError',
  'TooManyApiKeysError',
  'ValidationError',
  'VersionConflictError',
];

export const cacheConfig: CacheExchangeOpts = {
  possibleTypes: { Error: errorTypes },
  keys: {
    ...Object.fromEntries(parts.map(name => [name, () => null])),
    Server: () => 'server',
  },
};
