import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Caller } from '../../auth/caller.js';
import type { HttpResponse } from './http-response.js';
import type { HttpRequest, LoggedRequest } from './request.js';

/** A request, and where it is answered. */
export interface Exchange extends LoggedRequest {
  readonly request: HttpRequest;
  readonly response: HttpResponse<HttpRequest>;
  /** Exchanges the place of a plain request for one of a live connection. False when the address has none left. */
  stayOpen(): boolean;
  /** The part of the path that a pattern leaves open, as it was sent; empty where the path of the route is exact. */
  readonly rest: string;
}

/** Answers with an error. `rest` is {@link Exchange.rest}. */
export type Refuse = (
  response: HttpResponse<HttpRequest>,
  status: number,
  code: string,
  message: string,
  rest: string,
) => void;

interface RouteBase {
  /** An exact path, or a pattern: `/flags/{key}` is everything below `/flags/`. Metrics have it as it stands here. */
  readonly path: string;
  /** How the router refuses requests for this route. Default: as GraphQL gives errors. */
  readonly refuse?: Refuse;
  /** `read`: GET and HEAD; `any`: the handler says what it takes. */
  readonly method: 'read' | 'any';
  /** Tells routes of one path apart; the first that fits is taken. */
  readonly fits?: (request: HttpRequest) => boolean;
}

/** A path, its handler, and the callers that it answers. */
export type Route =
  /** The router proves who the caller is before it hands over. */
  | (RouteBase & {
      readonly caller: 'verified';
      /** @param device the device that the caller states, well-formed; null: none. */
      handle(exchange: Exchange, caller: Caller, device: string | null): void | Promise<void>;
    })
  /** Anybody; pages of allowed origins may read the answer. */
  | (RouteBase & { readonly caller: 'anybody'; handle(exchange: Exchange): void | Promise<void> })
  /** Programs that look after the server: no page of another origin may read it, and no limit of an address locks it out. */
  | (RouteBase & { readonly caller: 'operator'; handle(exchange: Pick<Exchange, 'response'>): void | Promise<void> });

/** Where a socket comes from. */
export interface UpgradeOrigin {
  readonly requestId: string;
  readonly address: string;
  /** Whether bytes from the peer of a socket have come and wait for their turn. */
  readonly hasWaiting: (socket: Socket) => boolean;
}

/** Where sockets are opened. */
export interface UpgradeRoute {
  readonly path: string;
  accept(request: HttpRequest, socket: Duplex, head: Buffer, from: UpgradeOrigin): void;
}
