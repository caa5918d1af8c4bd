/** A failure that the client goes on from, as `onError` is told. */
export class HalyardError extends Error {
  override readonly name = 'HalyardError';

  /** @param code a code of the server such as `UNAUTHENTICATED`, or of the client: the README lists them. */
  constructor(
    readonly code: string,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}
