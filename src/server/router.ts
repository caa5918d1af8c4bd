import type { Logger } from 'pino';
import type { Caller } from '../auth/caller.js';
import { credentialOfRequest } from '../auth/credentials.js';
import { deviceOfRequest, InvalidDeviceError } from '../auth/devices.js';
import type { Verifier } from '../auth/verifier.js';
import { handleCors, type OriginPolicy } from './http/cors.js';
import type { HttpResponse, UnsentPolicy } from './http/http-response.js';
import type { Place } from './http/places.js';
import { type HttpRequest, LoggedRequest, requestIdOf } from './http/request.js';
import type { Exchange, Route } from './http/route.js';
import { sendError, sendJson } from './http/send.js';
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
  /** Takes the place of a live connection; false when the address has none left. */
  readonly takeLivePlace: (address: string, response: HttpResponse<HttpRequest>) => boolean;
  /** The rules for answers that wait for their readers. */
  readonly unsentPolicy: UnsentPolicy;
  readonly log: Logger;
}

export interface Router {
  /** Answers a request, or rejects with the unexpected error. */
  route(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void>;
  /** The label of a request's path in metrics. All paths without a route share one: the caller could make up any number. */
  labelOf(request: HttpRequest): string;
}

/** A class, because one is made for each request, and object literals with getters showed in the profile. */
class RequestExchange extends LoggedRequest implements Exchange {
  constructor(
    readonly request: HttpRequest,
    readonly response: HttpResponse<HttpRequest>,
    requestId: string,
    address: string,
    private readonly place: Place,
    private readonly options: Pick<RouterOptions, 'log' | 'takeLivePlace'>,
  ) {
    super(requestId, address, options.log);
  }

  stayOpen(): boolean {
    if (!this.options.takeLivePlace(this.address, this.response)) return false;
    this.place.release();
    return true;
  }
}

/** Finds the route of a request, and does what is common to all routes: ids, places, origins, tokens, devices. */
export function createRouter(options: RouterOptions): Router {
  const { verifier, origins, prefix, pathOf, addressOf, takePlace, unsentPolicy } = options;
  const table = new Map<string, Route[]>();
  for (const route of options.routes) table.set(route.path, [...(table.get(route.path) ?? []), route]);

  async function verify(exchange: Exchange): Promise<Caller | null> {
    const { request, response } = exchange;
    try {
      return await verifier.verify(credentialOfRequest(request));
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
    response.charge(address, unsentPolicy);
    const routes = table.get(pathOf(request));
    const found = routes && find(routes, request);
    if (found?.caller === 'operator') return found.handle({ response });
    const isOperators = routes?.[0]?.caller === 'operator';
    if (!isOperators && handleCors(request, response, origins)) return;
    const place = takePlace(address, response);
    if (place === null) {
      response.setHeader('retry-after', '5');
      return sendError(response, 429, 'TOO_MANY_REQUESTS', 'This address has as many requests under way as it may.');
    }
    const { expect } = request.headers;
    if (expect !== undefined && expect.trim().toLowerCase() !== '100-continue') {
      return sendError(response, 417, 'EXPECTATION_FAILED', 'The only expectation that is met is "100-continue".');
    }
    if (found === undefined)
      return sendError(response, 404, 'NOT_FOUND', `There is nothing here: the API is at ${prefix}/graphql.`);
    const exchange = new RequestExchange(request, response, requestId, address, place, options);
    if (found.caller === 'anybody') return found.handle(exchange);
    const caller = await verify(exchange);
    if (caller === null) return;
    const device = deviceOfRequest(request);
    if (device instanceof InvalidDeviceError) return sendError(response, 400, device.code, device.message);
    await found.handle(exchange, caller, device);
  }

  return {
    route,
    labelOf(request) {
      const path = pathOf(request);
      return table.has(path) ? path : 'other';
    },
  };
}

function find(routes: readonly Route[], request: HttpRequest): Route | undefined {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  for (const route of routes) {
    if ((route.method === 'any' || isRead) && (route.fits === undefined || route.fits(request))) return route;
  }
  return undefined;
}
