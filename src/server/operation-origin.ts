import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../auth/caller.js';

/** What a way in knows of an operation before it is read. Resolvers see it too, beside what `createContext` returns. */
export interface OperationOrigin {
  readonly caller: Caller;
  readonly requestId: string;
  /** Where it comes from; see `createAddressReader`. */
  readonly address: string;
  readonly log: Logger;
  /** Where the answer is written, when the operation came over HTTP. */
  readonly res?: ServerResponse;
}
