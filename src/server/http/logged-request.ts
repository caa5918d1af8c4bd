import type { Logger } from 'pino';

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
