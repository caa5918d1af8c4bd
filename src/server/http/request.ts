import { randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { bounded } from '../../core/text.js';

/** Characters of an `X-Request-Id` that is used. */
const maxRequestIdLength = 128;
const requestIdPattern = bounded(/^[\w.:/+=@-]+$/, maxRequestIdLength);

/**
 * A request that counts as an upgrade only when it asks for a WebSocket. Some clients (Java's, for one) offer HTTP/2 with
 * every request by `Upgrade: h2c`; they are to get their answer over HTTP/1.1 like everybody else.
 */
export class HttpRequest extends IncomingMessage {
  /** Set by the parser, and by the constructor of the base class: no initial value of ours may come after it. */
  declare private asksForUpgrade: boolean;

  get upgrade(): boolean {
    return this.asksForUpgrade && this.headers.upgrade?.toLowerCase() === 'websocket';
  }

  set upgrade(asked: boolean) {
    this.asksForUpgrade = asked;
  }
}

/** The `X-Request-Id` of a request if it is harmless to repeat; otherwise a new id. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
}

/**
 * Makes what reads the path of a request: without its query, and without the prefix under which a proxy serves it. A proxy
 * may leave the prefix there or not.
 * @param prefix such as `/flags`; empty: none.
 */
export function createPathReader(prefix: string): (request: IncomingMessage) => string {
  if (prefix === '') return pathOf;
  return request => {
    const path = pathOf(request);
    if (path === prefix) return '/';
    return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
  };
}

/** The path of a request without its query. A client may name the whole address, as it does to a proxy. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  const target = query === -1 ? url : url.slice(0, query);
  if (target.startsWith('/')) return target;
  const scheme = target.indexOf('://');
  if (scheme === -1) return target;
  const path = target.indexOf('/', scheme + 3);
  return path === -1 ? '/' : target.slice(path);
}

/** A request, or a socket or an operation of it, as the log names it. */
export class LoggedRequest {
  readonly #serverLog: Logger;
  #log: Logger | null = null;

  constructor(
    readonly requestId: string,
    /** Where it comes from; see `createAddressReader`. */
    readonly address: string,
    serverLog: Logger,
  ) {
    this.#serverLog = serverLog;
  }

  /** Its lines carry the id and the address. Made when it is first asked for: most requests write none. */
  get log(): Logger {
    const { requestId, address } = this;
    this.#log ??= this.#serverLog.child({ requestId, address });
    return this.#log;
  }
}
