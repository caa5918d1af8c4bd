import { type DocumentNode, GraphQLError } from 'graphql';
import { shortened } from '../../core/text.js';
import { documentBytes } from './document.js';
import type { KnownOperation } from './known-operation.js';

type Variables = { readonly [name: string]: unknown };

/** Bytes that the document and the variables of an operation take, as {@link documentBytes} and {@link jsonBytes} count them. */
export interface KeptBytes {
  readonly document: number;
  readonly variables: number;
}

/** The variables that an operation declares. Nothing else that the client has sent is kept while it is executed. */
export function declaredVariables({ variables }: KnownOperation, given: Variables | null): Variables | null {
  if (given === null) return null;
  // Nearly always nothing else has been sent.
  if (Object.keys(given).every(name => variables.includes(name))) return given;
  return Object.fromEntries(
    variables.flatMap(name => (Object.hasOwn(given, name) ? [[name, given[name]] as const] : [])),
  );
}

/**
 * What a subscription keeps for as long as it lives.
 * @param declared its variables; see {@link declaredVariables}.
 * @param limit bytes of the document and of the variables together.
 * @throws GraphQLError when they take more.
 */
export function bytesToKeep(document: DocumentNode, declared: Variables | null, limit: number): KeptBytes {
  const hasNone = declared === null || Object.keys(declared).length === 0;
  const bytes = { document: documentBytes(document), variables: hasNone ? 0 : jsonBytes(declared) };
  const size = bytes.document + bytes.variables;
  if (size > limit) throw tooLarge(size, limit);
  return bytes;
}

const tooLarge = (size: number, limit: number) =>
  new GraphQLError(
    `The document and the variables of this subscription take about ${size} bytes; at most ${limit} are allowed.`,
    { extensions: { code: 'BAD_USER_INPUT', path: ['variables'], http: { spec: true, status: 400 } } },
  );

/**
 * About how many bytes of memory a JSON value takes: 24 a value, and two for each character of a text or a name. Walks
 * without calling itself, so that no nesting is too deep.
 */
export function jsonBytes(value: unknown): number {
  let bytes = 0;
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const next = rest.pop();
    bytes += 24;
    if (typeof next === 'string') bytes += 2 * next.length;
    else if (Array.isArray(next)) {
      bytes += 16;
      for (const element of next) rest.push(element);
    } else if (typeof next === 'object' && next !== null) {
      bytes += 32;
      for (const [name, member] of Object.entries(next)) {
        bytes += 16 + 2 * name.length;
        rest.push(member);
      }
    }
  }
  return bytes;
}

/** Bytes of memory of an array or an object, beside its members, and of a member that is neither. */
const containerCost = 56;
const memberCost = 24;

/**
 * About how many bytes of memory a JSON text takes once it is parsed, at most some thirty times its length. It is not parsed
 * for that: brackets and commas count, also those within texts.
 */
export function parsedBytes(text: string): number {
  const containers = count(text, '[') + count(text, '{');
  return text.length + containers * containerCost + count(text, ',') * memberCost;
}

/** How often a character occurs. Several times as fast as looking at each character. */
function count(text: string, character: string): number {
  let found = 0;
  for (let index = text.indexOf(character); index !== -1; index = text.indexOf(character, index + 1)) found += 1;
  return found;
}

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
