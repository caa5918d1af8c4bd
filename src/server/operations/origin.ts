import type { Logger } from 'pino';
import type { Caller } from '../../auth/caller.js';
import type { LoggedRequest } from '../http/request.js';

/**
 * The facts that an entry point knows before an operation is read: its caller, and those of {@link LoggedRequest}. Resolvers
 * see them too, beside the objects of `createContext`.
 */
export interface OperationOrigin {
  readonly caller: Caller;
  /** The device that the caller states; null: none. */
  readonly device: string | null;
  readonly requestId: string;
  readonly address: string;
  readonly log: Logger;
}

/** The origin of an operation that a request brings. */
export class RequestOrigin implements OperationOrigin {
  readonly #from: LoggedRequest;

  constructor(
    readonly caller: Caller,
    readonly device: string | null,
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
