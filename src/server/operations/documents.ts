import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  specifiedRules,
  type ValidationRule,
  ValuesOfCorrectTypeRule,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { documentBytes, parseDocument } from './document.js';
import { type DocumentLimits, documentLimitErrors, limitError } from './document-limits.js';
import { createIntrospectionCost } from './introspection-cost.js';
import { presented } from './mask-error.js';

/**
 * Documents that may run are kept parsed, bounded by count and by the bytes that they take, as a hostile client can send a
 * new one each time. An unusually long one is parsed anew.
 */
const maxKeptDocuments = 1_000;
const maxKeptDocumentBytes = 32_000_000;
/** Characters of the longest document that is kept. */
const maxKeptDocumentLength = 16_000;

/** The number of faults after which validation stops. */
const maxValidationErrors = 20;

export interface DocumentOptions {
  readonly schema: GraphQLSchema;
  readonly limits: DocumentLimits;
  /** Whether messages about unknown names propose known ones. */
  readonly suggestions: boolean;
}

/** Reads and judges documents, and keeps those that are asked again and again. */
export interface Documents {
  /** @throws GraphQLError for a document that is too long or cannot be read. */
  parse(text: string): DocumentNode;
  /** The faults of a document; none when it may run. */
  validate(document: DocumentNode): readonly GraphQLError[];
  /** Whether this text is known to be a valid document. */
  isKnown(text: string): boolean;
}

export function createDocuments({ schema, limits, suggestions }: DocumentOptions): Documents {
  const kept = new LRUCache<string, DocumentNode>({
    max: maxKeptDocuments,
    maxSize: maxKeptDocumentBytes,
    sizeCalculation: (document, text) => documentBytes(document) + 2 * text.length,
  });
  const valid = new WeakSet<DocumentNode>();
  /** The texts of documents that have not been judged yet. */
  const unjudged = new WeakMap<DocumentNode, string>();
  const introspectionCost = createIntrospectionCost(schema, limits.introspectionCost);
  const rules = specifiedRules.map(rule => (rule === ValuesOfCorrectTypeRule ? valueRule : rule));

  function faults(document: DocumentNode): readonly GraphQLError[] {
    const tooLarge = documentLimitErrors(document, limits);
    if (tooLarge.length > 0) return tooLarge;
    const cost = introspectionCost(document);
    if (cost > limits.introspectionCost) {
      return [
        limitError(
          `The introspection in this operation costs ${cost}; at most ${limits.introspectionCost} is allowed. Ask for the schema once.`,
        ),
      ];
    }
    const errors = validate(schema, document, rules, { maxErrors: maxValidationErrors, hideSuggestions: !suggestions });
    for (const { extensions } of errors) extensions['code'] ??= 'GRAPHQL_VALIDATION_FAILED';
    return errors.map(presented);
  }

  return {
    parse(text) {
      const known = kept.get(text);
      if (known !== undefined) return known;
      const document = parseDocument(text, limits);
      unjudged.set(document, text);
      return document;
    },
    validate(document) {
      if (valid.has(document)) return [];
      const errors = faults(document);
      const text = unjudged.get(document);
      unjudged.delete(document);
      if (errors.length > 0) return errors;
      valid.add(document);
      if (text !== undefined && text.length <= maxKeptDocumentLength) kept.set(text, document);
      return [];
    },
    isKnown(text) {
      const document = kept.peek(text);
      return document !== undefined && valid.has(document);
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
