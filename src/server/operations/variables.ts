import { GraphQLError } from 'graphql';
import type { KnownOperation } from './known-operation.js';

type Variables = { readonly [name: string]: unknown };

/** What a subscription keeps of its request for as long as it lives. */
export interface Kept {
  readonly variables: Variables;
  /** Characters of the document and of the variables as JSON. */
  readonly size: number;
}

/**
 * The variables that a subscription keeps: those that it declares, and nothing else that the client has sent.
 * @param limit characters of the document and of the variables as JSON.
 * @throws GraphQLError when they are larger.
 */
export function variablesToKeep(
  { variables }: KnownOperation,
  given: Variables | null,
  document: string,
  limit: number,
): Kept {
  const kept = Object.fromEntries(
    variables.flatMap(name => (given !== null && Object.hasOwn(given, name) ? [[name, given[name]]] : [])),
  );
  const size = document.length + jsonLength(kept);
  if (size > limit) throw tooLarge(size, limit);
  return { variables: kept, size };
}

/** Characters of a value as JSON; without end where it is nested more deeply than can be written. */
function jsonLength(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const tooLarge = (size: number, limit: number) =>
  new GraphQLError(
    `The document and the variables of this subscription have ${Number.isFinite(size) ? size : 'too many'} characters; at most ${limit} are allowed.`,
    { extensions: { code: 'BAD_USER_INPUT', path: ['variables'], http: { spec: true, status: 400 } } },
  );
