import { graphql } from '../../data/generated/index.js';

export const UsageOfFlag = graphql(`
  query UsageOfFlag($key: String!, $since: DateTime!, $until: DateTime!) {
    flag(key: $key) {
      id
      key
      name
      lastAskedAt
      usage(since: $since, until: $until, interval: DAY) {
        at
        count
        reasons
      }
    }
  }
`);

export const UsageOfFlags = graphql(`
  query UsageOfFlags($search: String, $after: String, $since: DateTime!, $until: DateTime!) {
    flags(filter: { search: $search }, first: 50, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        key
        name
        lastAskedAt
        usage(since: $since, until: $until, interval: DAY) {
          at
          count
          reasons
        }
      }
    }
  }
`);

export const StaleFlags = graphql(`
  query StaleFlags($after: String) {
    flags(first: 100, after: $after) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        key
        name
        staleness {
          kind
          since
          isCertain
          text
        }
      }
    }
  }
`);
