import type { Logger } from 'pino';
import type { Caller } from '../auth/caller.js';
import type { Verifier } from '../auth/verifier.js';
import { handleCors, type OriginPolicy } from './http/cors.js';
import type { Place } from './http/places.js';
import { type HttpRequest, requestIdOf } from './http/request.js';
import { sendError, sendJson } from './http/response.js';
import type { Exchange, Route } from './http/route.js';
import type { HttpResponse } from './http/unsent.js';
import { formatErrors, maskError, reportTo } from './operations/mask-error.js';

export interface RouterOptions {
  readonly routes: readonly Route[];
  readonly verifier: Verifier;
  readonly origins: OriginPolicy;
  /** The prefix under which a proxy serves this; empty: none. */
  readonly prefix: string;
  /** The path of a request, without that prefix. */
  readonly pathOf: (request: HttpRequest) => string;
  readonly addressOf: (request: HttpRequest) => string;
  /** Takes the place of a plain request; null when the address has none left. */
  readonly takePlace: (address: string, response: HttpResponse<HttpRequest>) => Place | null;
  /** Takes a place for what stays open; false when the address has none left. */
  readonly takeLivePlace: (address: string, response: HttpResponse<HttpRequest>) => boolean;
  /** Charges what waits for the reader of a response to the address that asked. */
  readonly account: (response: HttpResponse<HttpRequest>, address: string, requestId: string) => void;
  readonly log: Logger;
}

export interface Router {
  /** Answers a request, or rejects with what was not expected. */
  route(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void>;
  /** What metrics call the path of a request: those that lead nowhere are the caller's to choose, and are one. */
  labelOf(request: HttpRequest): string;
}

/** A class, because one is made for each request, and object literals with getters showed in the profile. */
class RequestExchange implements Exchange {
  #log: Logger | undefined;

  constructor(
    readonly request: HttpRequest,
    readonly response: HttpResponse<HttpRequest>,
    readonly requestId: string,
    readonly address: string,
    private readonly place: Place,
    private readonly options: Pick<RouterOptions, 'log' | 'takeLivePlace'>,
  ) {}

  get log(): Logger {
    const { requestId, address } = this;
    this.#log ??= this.options.log.child({ requestId, address });
    return this.#log;
  }

  stayOpen(): boolean {
    if (!this.options.takeLivePlace(this.address, this.response)) return false;
    this.place.release();
    return true;
  }
}

/** Finds who answers a request, and does for every route what is the same for all: ids, places, origins, tokens. */
export function createRouter(options: RouterOptions): Router {
  const { verifier, origins, prefix, pathOf, addressOf, takePlace, account } = options;
  const table = new Map<string, Route[]>();
  for (const route of options.routes) table.set(route.path, [...(table.get(route.path) ?? []), route]);

  function find(request: HttpRequest): Route | undefined {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    return table
      .get(pathOf(request))
      ?.find(({ method, fits }) => (method === 'any' || isRead) && (fits === undefined || fits(request)));
  }

  async function verify(exchange: Exchange): Promise<Caller | null> {
    const { request, response } = exchange;
    try {
      return await verifier.verify(request.headers.authorization);
    } catch (error) {
      const masked = maskError(error, cause => reportTo(exchange.log)(cause), true);
      const status = { UNAUTHENTICATED: 401, UNAVAILABLE: 503 }[String(masked.extensions['code'])] ?? 500;
      if (status === 401) response.setHeader('www-authenticate', 'Bearer error="invalid_token"');
      sendJson(response, status, { errors: formatErrors([masked]) });
      return null;
    }
  }

  async function route(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void> {
    const requestId = requestIdOf(request);
    response.setHeader('x-request-id', requestId);
    const address = addressOf(request);
    account(response, address, requestId);
    const found = find(request);
    if (found?.caller === 'operator') return found.handle({ response });
    const isOperators = table.get(pathOf(request))?.[0]?.caller === 'operator';
    if (!isOperators && handleCors(request, response, origins)) return;
    const place = takePlace(address, response);
    if (place === null) {
      response.setHeader('retry-after', '5');
      return sendError(response, 429, 'TOO_MANY_REQUESTS', 'This address has as many requests under way as it may.');
    }
    if (found === undefined)
      return sendError(response, 404, 'NOT_FOUND', `There is nothing here: the API is at ${prefix}/graphql.`);
    const exchange = new RequestExchange(request, response, requestId, address, place, options);
    if (found.caller === 'anybody') return found.handle(exchange);
    const caller = await verify(exchange);
    if (caller !== null) await found.handle(exchange, caller);
  }

  return {
    route,
    labelOf(request) {
      const path = pathOf(request);
      return table.has(path) ? path : 'other';
    },
  };
}
