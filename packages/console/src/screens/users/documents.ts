import { graphql } from '../../data/generated/index.js';

export const UserList = graphql(`
  query UserList($search: String, $after: String) {
    users(search: $search, first: 50, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        userId
        groups
        attributes
      }
    }
  }
`);

export const UserPage = graphql(`
  query UserPage($userId: UserID!) {
    user(id: $userId) {
      id
      userId
      attributes
      groups
      overrides(first: 50) {
        totalCount
        nodes {
          id
          enabled
          variant
          expiresAt
          flag {
            id
            key
            name
          }
        }
      }
      features {
        key
        enabled
        reason
        variant
        rule
      }
    }
  }
`);

export const SetAttributes = graphql(`
  mutation SetAttributes($input: SetUserAttributesInput!) {
    result: setUserAttributes(input: $input) {
      __typename
      ... on SetUserAttributesPayload {
        revision
        batch
        user {
          id
          attributes
        }
      }
      ... on ValidationError {
        code
        message
        issues {
          path
          message
        }
      }
    }
  }
`);
