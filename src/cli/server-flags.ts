import { z } from 'zod';
import type { DeclaredFlag } from '../core/feature-types.js';
import { isFlagKey, valueTypes } from '../core/flag.js';
import { bounded } from '../core/text.js';
import { CommandError, UsageError } from './failure.js';

const query = `query FlagTypes($after: String) {
  flags(first: 100, after: $after) {
    nodes { key name description type variants { value } }
    pageInfo { hasNextPage endCursor }
  }
}`;

/** The error of a server whose flags do not have a field of the query. */
const unknownField = bounded(/^Cannot query field "\w+" on type "Flag"/, 500);

/** Milliseconds to wait for an answer. */
const patience = 30_000;

const answerOf = z.object({
  data: z
    .object({
      flags: z.object({
        nodes: z.array(
          z.object({
            key: z.string().refine(isFlagKey),
            name: z.string(),
            description: z.string().nullable(),
            type: z.enum(valueTypes),
            variants: z.array(z.object({ value: z.json() })),
          }),
        ),
        pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
      }),
    })
    .nullish(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.object({ code: z.string().optional() }).optional() }))
    .optional(),
});

type Page = NonNullable<z.infer<typeof answerOf>['data']>['flags'];

/**
 * Reads all flags of a running server.
 * @param url the address of the server, with or without `/graphql`.
 * @param token a token of a reader or an admin.
 * @throws UsageError if `url` is not an address of HTTP.
 * @throws CommandError if the server does not answer, refuses the token, or is not a Halyard server.
 */
export async function flagsOfServer(url: string, token: string | undefined): Promise<readonly DeclaredFlag[]> {
  const endpoint = endpointOf(url);
  const flags: DeclaredFlag[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await pageOf(endpoint, token, after);
    flags.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return flags;
    // Without this check, a list that claims more pages and has none would be read for ever.
    if (page.pageInfo.endCursor === null || page.nodes.length === 0) throw notHalyard(endpoint);
    after = page.pageInfo.endCursor;
  }
}

function endpointOf(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new UsageError(`--url is "${url}", expected an address such as http://127.0.0.1:4000.`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new UsageError(
      '--url contains a user or a password, expected an address without them: give a token with --token or HALYARD_TOKEN.',
    );
  }
  parsed.search = '';
  parsed.hash = '';
  parsed.pathname = `${parsed.pathname.replace(/(\/graphql)?\/*$/, '')}/graphql`;
  return parsed;
}

async function pageOf(endpoint: URL, token: string | undefined, after: string | null): Promise<Page> {
  const { status, text } = await post(endpoint, token, JSON.stringify({ query, variables: { after } }));
  const answer = answerOf.safeParse(parse(text)).data;
  const error = answer?.errors?.[0];
  const code = error?.extensions?.code;
  if (status === 401 || code === 'UNAUTHENTICATED') {
    throw new CommandError(
      token === undefined
        ? 'No token was given, and the server lists its flags only for readers and admins: give such a token with --token or HALYARD_TOKEN.'
        : `The server refuses the token: ${sentence(error?.message ?? `HTTP ${status}`)}`,
    );
  }
  if (status === 403 || code === 'FORBIDDEN') {
    throw new CommandError('The token is not of a reader or an admin: create one with "halyard token --reader".');
  }
  if (status === 429 || status >= 500 || code === 'UNAVAILABLE' || code === 'INTERNAL_SERVER_ERROR') {
    throw new CommandError(
      `The server at ${endpoint.origin} cannot answer now: ${sentence(error?.message ?? `HTTP ${status}`)}`,
    );
  }
  if (error !== undefined && unknownField.test(error.message)) {
    throw new CommandError(
      `The server at ${endpoint.origin} has an earlier version, whose flags have no values: update the server, or use the command of its version.`,
    );
  }
  if (answer?.data == null || error !== undefined) throw notHalyard(endpoint);
  return answer.data.flags;
}

async function post(
  endpoint: URL,
  token: string | undefined,
  body: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json' });
  if (token !== undefined) headers.set('authorization', bearer(token));
  try {
    const response = await fetch(endpoint, { method: 'POST', headers, body, signal: AbortSignal.timeout(patience) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new CommandError(`No server answers at ${endpoint.origin}: ${sentence(reasonOf(error))} Check --url.`);
  }
}

function bearer(token: string): string {
  // A header cannot contain other characters, and the error of `fetch` would show the token.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError('The token contains characters that no token has: check --token and HALYARD_TOKEN.');
  return `Bearer ${token}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notHalyard(endpoint: URL): CommandError {
  return new CommandError(`The server at ${endpoint} is not a Halyard server: check --url.`);
}

/** `fetch` says "fetch failed" and keeps the reason as its cause. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}

function sentence(text: string): string {
  return `${text.replace(/\.$/, '')}.`;
}
