import { GraphQLError, parse, type ValidationRule, ValuesOfCorrectTypeRule, validate } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type DocumentLimits, documentLimitErrors } from '../document-limits.js';

export interface OperationRules {
  readonly limits: DocumentLimits;
  /** Whether messages about unknown names propose known ones. */
  readonly suggestions: boolean;
}

/** After so many faults nobody reads on. */
const maxErrors = 20;

/** Limits the size of documents, first of all, and gives values that do not fit their type a code of their own. */
export function useOperationRules({ limits, suggestions }: OperationRules): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn((source, options) => {
        try {
          return parse(source, { ...options, maxTokens: limits.tokens });
        } catch (error) {
          // The parser goes down a level of nesting by calling itself, until the stack ends.
          if (error instanceof RangeError) throw new GraphQLError('Syntax Error: The document is nested too deeply.');
          throw error;
        }
      });
    },
    onValidate({ setValidationFn }) {
      setValidationFn((schema, document, rules) => {
        const tooLarge = documentLimitErrors(document, limits);
        if (tooLarge.length > 0) return tooLarge;
        const coded = rules?.map((rule: ValidationRule) => (rule === ValuesOfCorrectTypeRule ? valueRule : rule));
        const errors = validate(schema, document, coded, { maxErrors, hideSuggestions: !suggestions });
        for (const { extensions } of errors) extensions['code'] ??= 'GRAPHQL_VALIDATION_FAILED';
        return errors;
      });
    },
  };
}

/** A value written into the document is judged like one in a variable: both are the caller's input. */
const valueRule: ValidationRule = context =>
  ValuesOfCorrectTypeRule(
    Object.create(context, {
      reportError: {
        value: (error: Parameters<typeof context.reportError>[0]) => {
          error.extensions['code'] = 'BAD_USER_INPUT';
          context.reportError(error);
        },
      },
    }),
  );
