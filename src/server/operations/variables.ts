import { type DocumentNode, GraphQLError } from 'graphql';
import { shortened } from '../../core/text.js';
import { documentBytes } from './document.js';
import { keptBytes } from './kept-bytes.js';
import type { KnownOperation } from './known-operation.js';

type Variables = { readonly [name: string]: unknown };

/** The part of its request that a subscription keeps for as long as it lives. */
export interface Kept {
  readonly variables: Variables;
  /** Bytes that the document and the variables take, as {@link documentBytes} and {@link keptBytes} count them. */
  readonly bytes: { readonly document: number; readonly variables: number };
}

/**
 * The variables that a subscription keeps: those that it declares, and nothing else that the client has sent.
 * @param limit bytes of the document and of the variables together.
 * @throws GraphQLError when they take more.
 */
export function variablesToKeep(
  { variables }: KnownOperation,
  given: Variables | null,
  document: DocumentNode,
  limit: number,
): Kept {
  const kept = Object.fromEntries(
    variables.flatMap(name => (given !== null && Object.hasOwn(given, name) ? [[name, given[name]]] : [])),
  );
  const bytes = { document: documentBytes(document), variables: variables.length === 0 ? 0 : keptBytes(kept) };
  const size = bytes.document + bytes.variables;
  if (size > limit) throw tooLarge(size, limit);
  return { variables: kept, bytes };
}

const tooLarge = (size: number, limit: number) =>
  new GraphQLError(
    `The document and the variables of this subscription take about ${size} bytes; at most ${limit} are allowed.`,
    { extensions: { code: 'BAD_USER_INPUT', path: ['variables'], http: { spec: true, status: 400 } } },
  );

/** Members of one object in the variables: no input and no conditions have more. */
export const maxMembers = 1_000;
/** Faults that graphql looks for in variables. It writes the whole object for each, before anything is cut. */
export const maxCoercionErrors = 10;

/** An error where an object in the variables has more members than any may have; null where none has. */
export function memberErrors(variables: Variables | null | undefined): GraphQLError | null {
  const rest: (readonly [value: unknown, name: string])[] = Object.entries(variables ?? {}).map(([name, value]) => [
    value,
    name,
  ]);
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const [value, name] = next;
    if (typeof value !== 'object' || value === null) continue;
    const members = Object.values(value);
    if (!Array.isArray(value) && members.length > maxMembers) {
      const message = `An object in the variable "$${shortened(name, 60)}" has ${members.length} members; at most ${maxMembers} are allowed.`;
      return new GraphQLError(message, {
        extensions: { code: 'BAD_USER_INPUT', path: [shortened(name)], http: { spec: true, status: 400 } },
      });
    }
    for (const member of members) if (typeof member === 'object') rest.push([member, name]);
  }
  return null;
}
