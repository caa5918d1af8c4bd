import { graphql } from '../../data/generated/index.js';

export const GroupList = graphql(`
  query GroupList($after: String) {
    groups(first: 100, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        name
        memberCount
        flags {
          id
          key
        }
      }
    }
  }
`);

export const GroupPage = graphql(`
  query GroupPage($name: String!, $after: String) {
    group(name: $name) {
      id
      name
      memberCount
      flags {
        id
        key
        name
      }
      members(first: 100, after: $after) {
        pageInfo {
          hasNextPage
          endCursor
        }
        edges {
          cursor
          addedAt
          node {
            id
            userId
          }
        }
      }
    }
  }
`);

export const AddMembers = graphql(`
  mutation AddMembers($input: AddToGroupInput!) {
    result: addToGroup(input: $input) {
      __typename
      ... on AddToGroupPayload {
        added
        revision
        batch
        group {
          id
          memberCount
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

export const RemoveMembers = graphql(`
  mutation RemoveMembers($input: RemoveFromGroupInput!) {
    result: removeFromGroup(input: $input) {
      __typename
      ... on RemoveFromGroupPayload {
        removed
        revision
        batch
        group {
          id
          memberCount
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
