import { graphql } from '../data/generated/index.js';

export const UpdateFlag = graphql(`
  mutation UpdateFlag($input: UpdateFlagInput!) {
    result: updateFlag(input: $input) {
      __typename
      ... on UpdateFlagPayload {
        flag {
          ...FlagPageFields
        }
        revision
        batch
      }
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
        flag {
          ...FlagPageFields
        }
      }
      ... on ConfirmationRequiredError {
        code
        message
        preview {
          ...PreviewFields
        }
      }
    }
  }
`);

export const RevertFlag = graphql(`
  mutation RevertFlag($input: RevertFlagInput!) {
    result: revertFlag(input: $input) {
      __typename
      ... on RevertFlagPayload {
        flag {
          ...FlagPageFields
        }
        revision
        batch
      }
      ... on Error {
        code
        message
      }
      ... on ConfirmationRequiredError {
        preview {
          ...PreviewFields
        }
      }
    }
  }
`);

export const UndoBatch = graphql(`
  mutation UndoBatch($input: UndoBatchInput!) {
    result: undoBatch(input: $input) {
      __typename
      ... on UndoBatchPayload {
        flags {
          ...FlagPageFields
        }
        revision
        batch
      }
      ... on ConflictsError {
        conflicts {
          flagKey
          message
        }
      }
      ... on Error {
        code
        message
      }
      ... on ConfirmationRequiredError {
        preview {
          ...PreviewFields
        }
      }
    }
  }
`);

export const SetOverride = graphql(`
  mutation SetOverride($input: SetOverrideInput!) {
    result: setOverride(input: $input) {
      __typename
      ... on SetOverridePayload {
        override {
          ...OverrideFields
        }
        revision
        batch
      }
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
    }
  }
`);

export const RemoveOverride = graphql(`
  mutation RemoveOverride($input: RemoveOverrideInput!) {
    result: removeOverride(input: $input) {
      __typename
      ... on RemoveOverridePayload {
        removed
        revision
        batch
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
