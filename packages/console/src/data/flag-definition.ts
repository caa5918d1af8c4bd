import { graphql } from './generated/index.js';

/** What people set of a flag. Lists, pages and the feed of changes ask for the same, so that each change shows everywhere. */
export const FlagDefinition = graphql(`
  fragment FlagDefinition on Flag {
    id
    key
    name
    description
    enabled
    percentage
    conditions
    type
    variants {
      key
      value
      weight
    }
    offVariant
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
    bucketBy
    tags
    owner
    expectedUntil
    version
    updatedAt
  }
`);
