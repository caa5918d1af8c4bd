import { graphql } from '../../data/generated/index.js';

export const FlagPage = graphql(`
  query FlagPage($key: String!) {
    flag(key: $key) {
      ...FlagPageFields
      overrides(first: 50) {
        totalCount
        nodes {
          ...OverrideFields
        }
      }
      changes(first: 20) {
        pageInfo {
          hasNextPage
          endCursor
        }
        nodes {
          ...FlagHistoryFields
        }
      }
    }
  }

  fragment FlagPageFields on Flag {
    ...FlagDefinition
    createdAt
    lastAskedAt
    staleness {
      kind
      since
      isCertain
      text
    }
  }

  fragment OverrideFields on Override {
    id
    user {
      id
      userId
    }
    enabled
    variant
    reason
    expiresAt
    createdAt
  }

  fragment FlagHistoryFields on Change {
    id
    revision
    at
    kind
    actorId
    apiKeyId
    flagKey
    group
    userIds
    userCount
    note
    batch
    reverts
    differences {
      path
      before
      after
    }
  }
`);

/** The fragment stands alone: the cache, which knows no schema, takes a fragment within a fragment for one that fits every type. */
export const PreviewFlag = graphql(`
  query PreviewFlag($input: UpdateFlagInput!) {
    previewFlag(input: $input, population: CONNECTED) {
      __typename
      ...PreviewFields
      ... on ValidationError {
        code
        message
        issues {
          path
          message
        }
      }
      ... on FlagNotFoundError {
        code
        message
      }
      ... on VersionConflictError {
        code
        message
      }
    }
  }

  fragment PreviewFields on FlagPreview {
    counted
    total
    isComplete
    on
    onAfter
    gain
    lose
    changeVariant
    gaining {
      id
      userId
      attributes
    }
    losing {
      id
      userId
      attributes
    }
    confirm
  }
`);
