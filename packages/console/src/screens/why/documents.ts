import { graphql } from '../../data/generated/index.js';

export const WhyPage = graphql(`
  query WhyPage($key: String!, $userId: UserID!, $context: EvaluationContextInput!) {
    flag(key: $key) {
      id
      key
      name
      type
      version
      offVariant
      percentage
      rules {
        id
        when
        percentage
        on
        serve {
          variant
          weight
        }
      }
      conditions
      variants {
        key
        value
        weight
      }
      explain(context: $context) {
        enabled
        value
        variant
        rule
        reason
        revision
        text
        steps {
          name
          outcome
          text
          bucket
          bound
          rule
          conditions {
            path
            matched
            expected
            actual
          }
          override {
            id
            enabled
            variant
            reason
            expiresAt
          }
        }
      }
    }
    user(id: $userId) {
      id
      userId
      attributes
      groups
    }
  }
`);

export const WatchUser = graphql(`
  subscription WatchUser($context: EvaluationContextInput!) {
    evaluations(context: $context) {
      revision
      snapshot
      removed
      features {
        key
        enabled
        variant
        type
        value
        reason
      }
    }
  }
`);

export const FlagKeys = graphql(`
  query FlagKeys($search: String) {
    flags(first: 20, filter: { search: $search }) {
      nodes {
        id
        key
        name
      }
    }
  }
`);
