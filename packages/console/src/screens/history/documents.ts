import { graphql } from '../../data/generated/index.js';

export const LogPage = graphql(`
  query LogPage($filter: ChangeFilter, $after: String) {
    changes(filter: $filter, first: 30, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        ...LogEntry
      }
    }
  }

  fragment LogEntry on Change {
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
