import type { Caller } from '../../auth/caller.js';
import { bodyFormFault, type NoBody, readBody, textOf } from '../http/body.js';
import { type ByteBudget, uncountedBytes } from '../http/byte-budget.js';
import type { HttpResponse } from '../http/http-response.js';
import type { HttpRequest } from '../http/request.js';
import type { Exchange, Route } from '../http/route.js';
import { sendError } from '../http/send.js';
import { RequestOrigin } from '../operations/origin.js';
import { parsedBytes } from '../operations/variables.js';
import { createFastPath } from './fast-path.js';
import { graphqlPath, persistedQueryFault, readBodyParams, readUrlParams, wellFormed } from './graphql-params.js';
import { createHttpSubscriptions, type HttpSubscriptionsOptions } from './graphql-sse.js';

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
  readonly maxBodySize: number;
  /** Bounds the bytes of bodies that have not come to their end or are being answered. */
  readonly unfinished: ByteBudget;
}

/** GraphQL over HTTP: reads the operation, and answers a subscription with a stream of events, any other with JSON. */
export function createGraphQLRoute(options: GraphQLRouteOptions): Route {
  const { operations, maxBodySize, unfinished: budget } = options;
  const bodyRefusals: Readonly<Record<Exclude<NoBody, 'gone'>, { status: number; code: string; message: string }>> = {
    'too large': {
      status: 413,
      code: 'REQUEST_ENTITY_TOO_LARGE',
      message: `The body of a request may have at most ${maxBodySize} bytes.`,
    },
    'no room': {
      status: 429,
      code: 'TOO_MANY_REQUESTS',
      message: 'Too many bytes of unfinished or unanswered requests wait. Try again later.',
    },
    'tiny chunks': {
      status: 400,
      code: 'BAD_REQUEST',
      message: 'The body comes in chunks of a few bytes. Send it in larger ones.',
    },
  };
  function refuse(response: HttpResponse<HttpRequest>, why: keyof typeof bodyRefusals): void {
    const { status, code, message } = bodyRefusals[why];
    if (status === 429) response.setHeader('retry-after', '5');
    sendError(response, status, code, message);
  }

  const answers = createFastPath(operations);
  const subscribe = createHttpSubscriptions(options);

  async function handle(exchange: Exchange, caller: Caller, device: string | null): Promise<void> {
    const { request, response } = exchange;
    if (request.headers['sec-websocket-key'] !== undefined) {
      response.setHeader('upgrade', 'websocket');
      const message = 'This is the handshake of a WebSocket without its header "Upgrade". Let the proxy pass it on.';
      return sendError(response, 426, 'UPGRADE_REQUIRED', message);
    }
    // Caches may keep the answer to a GET. Those that follow the standard do so for a token unasked, and not for a device.
    if (request.method !== 'POST') response.appendHeader('vary', 'X-Halyard-Device');
    const fault = request.method === 'POST' ? bodyFormFault(request.headers) : null;
    if (request.method === 'POST' && !hasJson(request)) {
      response.setHeader('accept', 'application/json');
      return sendError(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'A POST takes a body of application/json.');
    }
    if (fault !== null) {
      response.setHeader('accept-encoding', 'identity');
      return sendError(response, 415, 'UNSUPPORTED_MEDIA_TYPE', fault);
    }
    const origin = new RequestOrigin(caller, device, exchange);
    let text: string | null = null;
    if (request.method === 'POST') {
      const body = await readBody(request, { limit: maxBodySize, budget, address: exchange.address });
      if (body === 'gone') return;
      if (typeof body === 'string') return refuse(response, body);
      text = textOf(body);
      if (text === null) {
        return sendError(response, 400, 'BAD_REQUEST', 'The body is not UTF-8. Encode it as UTF-8.');
      }
      if (answers.repeat(request, response, origin, text)) return;
    }
    const asked = readAsked(text, request);
    const params = wellFormed(asked);
    // Returned, not awaited: an `await` would keep the request's parameters here for as long as a stream lives.
    const isAsked = request.method === 'POST' || request.method === 'GET';
    // A subscription has a budget of its own for what it keeps.
    if (isAsked && params !== null && operations.isSubscription(params)) return subscribe(exchange, params, origin);
    const held = text === null || text.length <= uncountedBytes ? 0 : parsedBytes(text);
    if (!budget.hold(exchange.address, held)) return refuse(response, 'no room');
    const answered = answers.answer(request, response, origin, { text, asked, params });
    return held === 0 ? answered : answered.finally(() => budget.release(exchange.address, held));
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

function hasJson(request: HttpRequest): boolean {
  if (request.headers['content-type'] === 'application/json') return true;
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') return false;
  // Yoga compares the type letter by letter.
  request.headers['content-type'] = type;
  return true;
}
