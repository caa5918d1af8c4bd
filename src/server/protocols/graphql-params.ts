import { GraphQLError } from 'graphql';
import type { GraphQLParams } from 'graphql-yoga';
import { isPlainObject } from '../../core/json.js';

/** Where the API is. */
export const graphqlPath = '/graphql';

/** The parameters of a well-formed request. */
export type Params = GraphQLParams & { readonly query: string };

const knownParams = ['query', 'operationName', 'variables', 'extensions'];

/**
 * Reads the parameters in the body of a POST.
 * @throws GraphQLError `BAD_REQUEST` when it is no JSON object or list. Nothing of the body is repeated.
 */
export function readBodyParams(body: string): object {
  let asked: unknown;
  try {
    asked = JSON.parse(body);
  } catch {
    throw badRequest('The body is not valid JSON.');
  }
  if (typeof asked === 'object' && asked !== null) return asked;
  throw badRequest('The body is not a JSON object such as {"query":"{ viewer { featureMap } }"}.');
}

/**
 * Reads the parameters in the query string of a GET.
 * @throws GraphQLError `BAD_REQUEST` when it is not UTF-8, or `variables` or `extensions` are no JSON.
 */
export function readUrlParams(url: string): object {
  const start = url.indexOf('?');
  const encoded = start === -1 ? '' : url.slice(start + 1);
  const search = new URLSearchParams(encoded);
  // A replacement character that was not sent stands for bytes that could not be read.
  if (count([...search.values()].join(), '\uFFFD') > count(encoded.toUpperCase(), '%EF%BF%BD')) {
    throw badRequest('The query string of the address is not UTF-8. Encode it as UTF-8, then in percent-encoding.');
  }
  const textOf = (name: string) => search.get(name) || undefined;
  const jsonOf = (name: string): unknown => {
    const text = textOf(name);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch {
      throw badRequest(`The parameter "${name}" is not valid JSON.`);
    }
  };
  return {
    query: textOf('query'),
    operationName: textOf('operationName'),
    variables: jsonOf('variables'),
    extensions: jsonOf('extensions'),
  };
}

const count = (text: string, part: string) => text.split(part).length - 1;

/**
 * Clients of persisted queries send the hash of a query alone at first. They know by this message that they must send the query, and
 * send no more hashes. Null for everything else.
 */
export function persistedQueryFault(asked: unknown): GraphQLError | null {
  if (!isPlainObject(asked) || (asked['query'] != null && asked['query'] !== '')) return null;
  const { extensions } = asked;
  if (!isPlainObject(extensions) || !isPlainObject(extensions['persistedQuery'])) return null;
  return new GraphQLError('PersistedQueryNotSupported', {
    extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED', http: { spec: true, status: 400 } },
  });
}

/** Null unless this is plainly one well-formed request: Yoga finds the words for the others. */
export function wellFormed(asked: unknown): Params | null {
  if (!isPlainObject(asked) || typeof asked['query'] !== 'string') return null;
  const { operationName, variables, extensions } = asked;
  const isWellFormed =
    Object.keys(asked).every(name => knownParams.includes(name)) &&
    (operationName == null || typeof operationName === 'string') &&
    (variables == null || isPlainObject(variables)) &&
    (extensions == null || isPlainObject(extensions));
  return isWellFormed ? (asked as unknown as Params) : null;
}

const badRequest = (message: string) =>
  new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });
