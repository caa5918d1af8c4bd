import type { Logger } from 'pino';
import type { Caller } from '../../auth/caller.js';

/** What an entry point knows of an operation before it is read. Resolvers see it too, beside what `createContext` returns. */
export interface OperationOrigin {
  readonly caller: Caller;
  readonly requestId: string;
  /** Where it comes from; see `createAddressReader`. */
  readonly address: string;
  /** Lines of this request. It may be made when it is first asked for: most requests write none. */
  readonly log: Logger;
}

/** Where an operation comes from that a request brings. */
export class RequestOrigin implements OperationOrigin {
  readonly #from: Omit<OperationOrigin, 'caller'>;

  constructor(
    readonly caller: Caller,
    from: Omit<OperationOrigin, 'caller'>,
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
