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

/** The types behind the interface that refusals are asked for by. */
export const errorTypes = [
  'ValidationError',
  'FlagExistsError',
  'FlagNotFoundError',
  'VersionConflictError',
  'ConfirmationRequiredError',
  'ApiKeyExistsError',
  'ApiKeyNotFoundError',
  'TooManyApiKeysError',
  'RevisionNotFoundError',
  'ConflictsError',
];

export const cacheConfig: CacheExchangeOpts = {
  possibleTypes: { Error: errorTypes },
  keys: {
    ...Object.fromEntries(parts.map(name => [name, () => null])),
    Server: () => 'server',
  },
};
