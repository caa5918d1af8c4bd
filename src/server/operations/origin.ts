import type { Logger } from 'pino';
import type { Caller } from '../../auth/caller.js';
import type { LoggedRequest } from '../http/logged-request.js';

/**
 * What an entry point knows of an operation before it is read: its caller, and what {@link LoggedRequest} says. Resolvers see
 * it too, beside what `createContext` returns.
 */
export interface OperationOrigin {
  readonly caller: Caller;
  readonly requestId: string;
  readonly address: string;
  readonly log: Logger;
}

/** The origin of an operation that a request brings. */
export class RequestOrigin implements OperationOrigin {
  readonly #from: LoggedRequest;

  constructor(
    readonly caller: Caller,
    from: LoggedRequest,
  ) {
    this.#from = from;
  }

  get requestId(): string {
    return this.#from.requestId;
  }

  get address(): string {
    return this.#from.address;
  }

  get log(): Logger {
    return this.#from.log;
  }
}
