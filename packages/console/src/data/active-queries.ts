import { type Exchange, makeOperation, type Operation } from 'urql';
import { pipe, tap } from 'wonka';

/** What a query depends on: all changes, or only those that make or delete flags. */
export type Freshness = 'changes' | 'flags';

declare module 'urql' {
  interface OperationContext {
    freshness?: Freshness;
  }
}

/** The queries that screens show now. They can be asked again without the screens. */
export class ActiveQueries {
  readonly #operations = new Map<number, Operation>();
  #ask: ((operation: Operation) => void) | null = null;

  readonly exchange: Exchange = ({ client, forward }) => {
    this.#ask = operation => client.reexecuteOperation(operation);
    return operations =>
      forward(
        pipe(
          operations,
          tap(operation => {
            if (operation.kind === 'query') this.#operations.set(operation.key, operation);
            else if (operation.kind === 'teardown') this.#operations.delete(operation.key);
          }),
        ),
      );
  };

  /** Asks the server again. Screens show what they have until the answer comes. */
  refresh(isDue: (freshness: Freshness) => boolean = () => true): void {
    for (const operation of [...this.#operations.values()]) {
      if (!isDue(operation.context.freshness ?? 'changes')) continue;
      this.#ask?.(makeOperation('query', operation, { ...operation.context, requestPolicy: 'cache-and-network' }));
    }
  }
}
