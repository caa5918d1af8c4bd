import { graphql } from '../generated/gql.js';

export const createFlag = graphql(`
  mutation CreateFlag($input: CreateFlagInput!) {
    createFlag(input: $input) {
      ... on CreateFlagPayload { flag { key enabled percentage } }
      ... on Error { code message }
    }
  }
`);

export const isEnabled = graphql(`
  query IsEnabled($key: String!) {
    isEnabled(key: $key)
  }
`);

export const viewerFeatures = graphql(`
  query ViewerFeatures {
    viewer { role features { key enabled reason } }
  }
`);

export const evaluateMany = graphql(`
  query EvaluateMany($contexts: [EvaluationContextInput!]!, $keys: [String!]) {
    evaluateMany(contexts: $contexts, keys: $keys) { featureMap }
  }
`);

export const evaluateValues = graphql(`
  query EvaluateValues($contexts: [EvaluationContextInput!]!, $keys: [String!]) {
    evaluateMany(contexts: $contexts, keys: $keys) { features { variant value reason rule } }
  }
`);

export const setOverride = graphql(`
  mutation SetOverride($input: SetOverrideInput!) {
    setOverride(input: $input) {
      ... on SetOverridePayload { override { flag { key } enabled reason } }
      ... on Error { code message }
    }
  }
`);

export const addToGroup = graphql(`
  mutation AddToGroup($input: AddToGroupInput!) {
    addToGroup(input: $input) {
      ... on AddToGroupPayload { added group { name memberCount } }
      ... on Error { code message }
    }
  }
`);

export const updateFlag = graphql(`
  mutation UpdateFlag($input: UpdateFlagInput!) {
    updateFlag(input: $input) {
      ... on UpdateFlagPayload { flag { key percentage version } }
      ... on Error { code message path }
    }
  }
`);

export const recentChanges = graphql(`
  query RecentChanges($first: Int!) {
    changes(first: $first) { nodes { revision kind flagKey group userCount } }
  }
`);

export const watchFeatures = graphql(`
  subscription WatchFeatures {
    viewerFeatures { revision snapshot featureMap removed }
  }
`);
