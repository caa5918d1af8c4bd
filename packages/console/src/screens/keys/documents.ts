import { graphql } from '../../data/generated/index.js';

export const KeysPage = graphql(`
  query KeysPage($after: String) {
    apiKeys(first: 100, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        ...KeyRow
      }
    }
  }

  fragment KeyRow on ApiKey {
    id
    name
    role
    prefix
    createdAt
    createdBy
    expiresAt
    lastUsedAt
    revokedAt
  }
`);

export const CreateKey = graphql(`
  mutation CreateKey($input: CreateApiKeyInput!) {
    result: createApiKey(input: $input) {
      __typename
      ... on CreateApiKeyPayload {
        apiKey {
          ...KeyRow
        }
        secret
        revision
        batch
      }
      ... on Error {
        code
        message
        path
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
    }
  }
`);

export const RevokeKey = graphql(`
  mutation RevokeKey($input: RevokeApiKeyInput!) {
    result: revokeApiKey(input: $input) {
      __typename
      ... on RevokeApiKeyPayload {
        apiKey {
          ...KeyRow
        }
        revision
        batch
      }
      ... on Error {
        code
        message
      }
    }
  }
`);
