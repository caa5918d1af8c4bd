import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';

/**
 * Results of events that many subscribers of one operation get: a flag turned on for all is one event for thousands, and
 * what comes of it is one result.
 *
 * Shared are fields that the schema marks as shared, whose result follows from the event alone; where no variable has a
 * say below the root field, and to who sent the same document. Events are told apart by identity.
 */
export class SharedResults {
  readonly #results = new WeakMap<object, WeakMap<OperationDefinitionNode, ExecutionResult>>();
  readonly #shareable = new WeakMap<DocumentNode, Map<string | null, OperationDefinitionNode | null>>();

  /** What `execute` made of this event for the same operation, or makes of it now. Results with errors are not shared. */
  async resultOf(
    args: ExecutionArgs,
    event: unknown,
    execute: () => ExecutionResult | PromiseLike<ExecutionResult>,
  ): Promise<ExecutionResult> {
    const operation = typeof event === 'object' && event !== null ? this.#operationOf(args) : null;
    if (operation === null) return execute();
    const results = this.#results.get(event as object) ?? new WeakMap<OperationDefinitionNode, ExecutionResult>();
    const known = results.get(operation);
    if (known !== undefined) return known;
    const result = await execute();
    if (result.errors === undefined) {
      results.set(operation, result);
      this.#results.set(event as object, results);
    }
    return result;
  }

  /** Null where results are not shared. Documents are kept parsed, so that this is found once for each. */
  #operationOf({ schema, document, operationName = null }: ExecutionArgs): OperationDefinitionNode | null {
    let operations = this.#shareable.get(document);
    if (operations === undefined) {
      operations = new Map();
      this.#shareable.set(document, operations);
    }
    let operation = operations.get(operationName);
    if (operation === undefined) {
      const found = getOperationAST(document, operationName);
      const fields = schema.getSubscriptionType()?.getFields() ?? {};
      operation =
        found != null && isShareable(found, name => fields[name]?.extensions['shared'] === true) ? found : null;
      operations.set(operationName, operation);
    }
    return operation;
  }
}

function isShareable({ selectionSet }: OperationDefinitionNode, isShared: (field: string) => boolean): boolean {
  const [root, ...others] = selectionSet.selections;
  if (root?.kind !== Kind.FIELD || others.length > 0 || !isShared(root.name.value)) return false;
  let isFixed = root.directives === undefined || root.directives.length === 0;
  if (root.selectionSet === undefined) return isFixed;
  visit(root.selectionSet, {
    Variable: () => {
      isFixed = false;
    },
    // What a fragment holds stands elsewhere in the document.
    FragmentSpread: () => {
      isFixed = false;
    },
  });
  return isFixed;
}
