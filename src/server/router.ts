import type { Logger } from 'pino';
import type { Caller } from '../auth/caller.js';
import { credentialOfRequest } from '../auth/credentials.js';
import { deviceOfRequest, InvalidDeviceError } from '../auth/devices.js';
import type { Verifier } from '../auth/verifier.js';
import { handleCors, type OriginPolicy } from './http/cors.js';
import type { HttpResponse, UnsentPolicy } from './http/http-response.js';
import type { Place } from './http/places.js';
import { type HttpRequest, LoggedRequest, requestIdOf } from './http/request.js';
import type { Exchange, Refuse, Route } from './http/route.js';
import { sendError } from './http/send.js';
import { maskError, reportTo } from './operations/mask-error.js';

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
    readonly rest: string,
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
  const { routesOf, labelOf } = createTable(options.routes);

  async function verify(exchange: Exchange, refuse: Refuse): Promise<Caller | null> {
    const { request, response } = exchange;
    try {
      return await verifier.verify(credentialOfRequest(request));
    } catch (error) {
      const masked = maskError(error, cause => reportTo(exchange.log)(cause), true);
      const status = { UNAUTHENTICATED: 401, UNAVAILABLE: 503 }[String(masked.extensions['code'])] ?? 500;
      if (status === 401) response.setHeader('www-authenticate', 'Bearer error="invalid_token"');
      refuse(response, status, String(masked.extensions['code']), masked.message, exchange.rest);
      return null;
    }
  }

  async function route(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void> {
    const requestId = requestIdOf(request);
    response.setHeader('x-request-id', requestId);
    const address = addressOf(request);
    response.charge(address, unsentPolicy);
    const path = pathOf(request);
    const routes = routesOf(path);
    const found = routes && find(routes, request);
    const rest = found?.path.endsWith('}') ? path.slice(found.path.lastIndexOf('/') + 1) : '';
    const refuse = found?.refuse ?? sendError;
    if (found?.caller === 'operator') return found.handle({ response });
    const isOperators = routes?.[0]?.caller === 'operator';
    if (!isOperators && handleCors(request, response, origins)) return;
    const place = takePlace(address, response);
    if (place === null) {
      response.setHeader('retry-after', '5');
      return refuse(response, 429, 'TOO_MANY_REQUESTS', 'This address has as many requests under way as it may.', rest);
    }
    const { expect } = request.headers;
    if (expect !== undefined && expect.trim().toLowerCase() !== '100-continue') {
      return refuse(response, 417, 'EXPECTATION_FAILED', 'The only expectation that is met is "100-continue".', rest);
    }
    if (found === undefined)
      return sendError(response, 404, 'NOT_FOUND', `There is nothing here: the API is at ${prefix}/graphql.`);
    const exchange = new RequestExchange(request, response, requestId, address, rest, place, options);
    if (found.caller === 'anybody') return found.handle(exchange);
    const caller = await verify(exchange, refuse);
    if (caller === null) return;
    const device = deviceOfRequest(request);
    if (device instanceof InvalidDeviceError) return refuse(response, 400, device.code, device.message, rest);
    // Not awaited: this function would stay for as long as a stream of events.
    return found.handle(exchange, caller, device);
  }

  return {
    route,
    labelOf: request => labelOf(pathOf(request)),
  };
}

/** The routes by their paths. Exact paths win, then the longest pattern. */
function createTable(all: readonly Route[]) {
  const table = new Map<string, Route[]>();
  for (const route of all) table.set(route.path, [...(table.get(route.path) ?? []), route]);
  const patterns = [...table.keys()]
    .filter(path => path.endsWith('}'))
    .map(path => ({ path, start: path.slice(0, path.lastIndexOf('/') + 1) }))
    .sort((a, b) => b.start.length - a.start.length);
  const labelOf = (path: string) =>
    table.has(path) ? path : (patterns.find(({ start }) => path.startsWith(start))?.path ?? 'other');
  return {
    labelOf,
    routesOf: (path: string) => table.get(path) ?? table.get(labelOf(path)),
  };
}

function find(routes: readonly Route[], request: HttpRequest): Route | undefined {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  for (const route of routes) {
    if ((route.method === 'any' || isRead) && (route.fits === undefined || route.fits(request))) return route;
  }
  return undefined;
}
