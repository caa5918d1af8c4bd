import type { Caller } from '../../auth/caller.js';
import type { HttpRequest } from '../http/request.js';
import type { Exchange, Route } from '../http/route.js';
import { sendError } from '../http/send.js';
import type { AnswerStore } from '../operations/kept-answers.js';
import { RequestOrigin } from '../operations/origin.js';
import { createFastPath } from './fast-path.js';
import { graphqlPath, persistedQueryFault, readBodyParams, readUrlParams, wellFormed } from './graphql-params.js';
import { createHttpSubscriptions, type HttpSubscriptionsOptions } from './graphql-sse.js';
import type { JsonBodies } from './json-bodies.js';

export interface GraphQLBodyLimits {
  /** Bytes of the body of a request. */
  readonly maxBodySize: number;
  /**
   * Bytes of bodies, and of messages over WebSockets, of one address that have not come to their end, or whose operations have
   * not; those as `parsedBytes` counts them.
   */
  readonly bodiesPerAddress: number;
  /** The same for all addresses together. */
  readonly bodiesInAll: number;
}

export interface GraphQLRouteOptions extends HttpSubscriptionsOptions {
  readonly bodies: JsonBodies;
  /** Answers that may be given again. */
  readonly kept: AnswerStore;
}

/** GraphQL over HTTP: reads the operation, and answers a subscription with a stream of events, any other with JSON. */
export function createGraphQLRoute(options: GraphQLRouteOptions): Route {
  const { operations, bodies } = options;
  const answers = createFastPath(operations, options.kept);
  const subscribe = createHttpSubscriptions(options);

  async function handle(exchange: Exchange, caller: Caller, device: string | null): Promise<void> {
    const { request, response } = exchange;
    if (request.headers['sec-websocket-key'] !== undefined) {
      response.setHeader('upgrade', 'websocket');
      const message = 'This is the handshake of a WebSocket without its header "Upgrade". Let the proxy pass it on.';
      return sendError(response, 426, 'UPGRADE_REQUIRED', message);
    }
    // Caches may keep the answer to a GET. What it depends on besides `Authorization` none of them knows.
    if (request.method !== 'POST') response.appendHeader('vary', 'Authorization, X-API-Key, X-Halyard-Device');
    const origin = new RequestOrigin(caller, device, exchange);
    let text: string | null = null;
    if (request.method === 'POST') {
      text = await bodies.read(exchange, sendError);
      if (text === null) return;
      if (answers.repeat(request, response, origin, text)) return;
    }
    const asked = readAsked(text, request);
    const params = wellFormed(asked);
    // Returned, not awaited: an `await` would keep the request's parameters here for as long as a stream lives.
    const isAsked = request.method === 'POST' || request.method === 'GET';
    // A subscription has a budget of its own for what it keeps.
    if (isAsked && params !== null && operations.isSubscription(params)) return subscribe(exchange, params, origin);
    const release = bodies.hold(exchange, text, sendError);
    if (release === null) return;
    const answered = answers.answer(request, response, origin, { text, asked, params });
    return release === undefined ? answered : answered.finally(release);
  }

  return { path: graphqlPath, method: 'any', caller: 'verified', handle };
}

/** The parameters of a request, or the error for those that cannot be read. */
function readAsked(text: string | null, { url = '' }: HttpRequest): unknown {
  try {
    const asked = text === null ? readUrlParams(url) : readBodyParams(text);
    return persistedQueryFault(asked) ?? asked;
  } catch (error) {
    return error;
  }
}
