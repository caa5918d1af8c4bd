import type { FlagListQuery } from '../../data/generated/graphql.js';
import { graphql } from '../../data/generated/index.js';

export const FlagList = graphql(`
  query FlagList($filter: FlagFilter, $first: Int!, $after: String) {
    viewer {
      id
      revision
    }
    flags(filter: $filter, orderBy: { field: NAME, direction: ASC }, first: $first, after: $after) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        ...FlagDefinition
        lastAskedAt
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

/** Which flags match now, and nothing of them. */
export const FlagMatches = graphql(`
  query FlagMatches($filter: FlagFilter, $first: Int!, $after: String) {
    flags(filter: $filter, orderBy: { field: NAME, direction: ASC }, first: $first, after: $after) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
      }
    }
  }
`);

export const FlagFacets = graphql(`
  query FlagFacets {
    flags(first: 1) {
      totalCount
      tags(first: 100) {
        tag
        count
      }
      owners(first: 100) {
        owner
        count
      }
    }
    on: flags(first: 1, filter: { enabled: true }) {
      totalCount
    }
    groups(first: 100) {
      nodes {
        id
        name
      }
    }
  }
`);

/** A flag as the list shows it. */
export type ListedFlag = FlagListQuery['flags']['nodes'][number];

/** It asks for little of each flag: of 500 whole flags it would cost more than the server allows. */
export const UpdateFlags = graphql(`
  mutation UpdateFlags($input: UpdateFlagsInput!) {
    result: updateFlags(input: $input) {
      __typename
      ... on UpdateFlagsPayload {
        revision
        batch
        flags {
          id
          key
          enabled
          tags
          version
        }
      }
      ... on ConfirmationRequiredError {
        preview {
          ...PreviewFields
        }
      }
      ... on ConflictsError {
        conflicts {
          flagKey
          message
        }
        flags {
          id
          key
          enabled
          tags
          version
        }
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
      ... on Error {
        code
        message
        path
      }
    }
  }
`);

export const CreateFlag = graphql(`
  mutation CreateFlag($input: CreateFlagInput!) {
    result: createFlag(input: $input) {
      __typename
      ... on CreateFlagPayload {
        revision
        batch
        flag {
          id
          key
        }
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
      ... on Error {
        code
        message
        path
      }
    }
  }
`);
