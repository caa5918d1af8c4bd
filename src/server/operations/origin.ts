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

/** The facts of an entry point, for resolvers. A class, because a literal with an accessor takes ten times as long to make. */
export class ContextOrigin implements OperationOrigin {
  readonly caller: Caller;
  readonly device: string | null;
  readonly requestId: string;
  readonly address: string;
  readonly #origin: OperationOrigin;

  constructor(origin: OperationOrigin) {
    this.#origin = origin;
    this.caller = origin.caller;
    this.device = origin.device;
    this.requestId = origin.requestId;
    this.address = origin.address;
  }

  get log(): Logger {
    return this.#origin.log;
  }
}
