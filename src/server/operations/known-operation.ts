import {
  type ASTNode,
  type DocumentNode,
  type GraphQLSchema,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type OperationTypeNode,
  visit,
} from 'graphql';
import type { OperationLabels } from '../metrics/server-metrics.js';

/** An operation of a valid document, and its properties that follow from the text alone. Found once a kept document. */
export interface KnownOperation {
  readonly kind: OperationTypeNode;
  /** Null where the operation has none. */
  readonly name: string | null;
  /** One object for all operations of the same labels. */
  readonly labels: OperationLabels;
  /** The variables that it declares. */
  readonly variables: readonly string[];
  /** Whether it asks for anything of the schema itself, `__typename` aside. An operation with fragments is taken to use all. */
  readonly introspects: boolean;
  /** A query of fields that the schema marks as `repeatable`: the answer follows from the variables and the caller's stamp. */
  readonly isRepeatable: boolean;
  /**
   * A subscription to a field that the schema marks as `shareable`: the result follows from the event alone and is the same
   * for every subscriber, because below the root field no variable is used, and no field that is marked as not shareable.
   */
  readonly isShareable: boolean;
}

/** @returns null where the document has no operation of this name; without a name, where it has several. */
export type FindOperation = (document: DocumentNode, name: string | null | undefined) => KnownOperation | null;

export function createOperationFinder(schema: GraphQLSchema): FindOperation {
  const documents = new WeakMap<DocumentNode, ReadonlyMap<string | null, KnownOperation>>();
  const marked = (kind: OperationTypeNode, mark: string) =>
    new Set(
      Object.values(schema.getRootType(kind)?.getFields() ?? {}).flatMap(({ name, extensions }) =>
        extensions[mark] === true ? [name] : [],
      ),
    );
  const repeatable = marked('query' as OperationTypeNode, 'repeatable');
  const sharing: Sharing = {
    roots: marked('subscription' as OperationTypeNode, 'shareable'),
    ownFields: new Set(
      Object.values(schema.getTypeMap())
        .filter(isObjectType)
        .flatMap(type => Object.values(type.getFields()))
        .flatMap(({ name, extensions }) => (extensions['shareable'] === false ? [name] : [])),
    ),
  };
  const labels = new Map<string, OperationLabels>();

  function labelsOf(node: OperationDefinitionNode): OperationLabels {
    const names = new Set(
      node.selectionSet.selections.map(selection => (selection.kind === Kind.FIELD ? selection.name.value : null)),
    );
    const [name] = names;
    // A selection through a fragment counts as several: dashboards need no more.
    const field = names.size === 1 && name != null ? name : 'several';
    const key = `${node.operation} ${field}`;
    const known = labels.get(key) ?? { kind: node.operation, field };
    labels.set(key, known);
    return known;
  }

  function read(document: DocumentNode): ReadonlyMap<string | null, KnownOperation> {
    const operations = new Map<string | null, KnownOperation>();
    const fragments = document.definitions.filter(node => node.kind === Kind.FRAGMENT_DEFINITION);
    for (const node of document.definitions) {
      if (node.kind !== Kind.OPERATION_DEFINITION) continue;
      operations.set(node.name?.value ?? null, {
        kind: node.operation,
        name: node.name?.value ?? null,
        labels: labelsOf(node),
        variables: (node.variableDefinitions ?? []).map(({ variable }) => variable.name.value),
        introspects: hasIntrospection(node) || (hasSpread(node) && fragments.some(hasIntrospection)),
        isRepeatable:
          node.operation === 'query' &&
          node.selectionSet.selections.every(
            selection => selection.kind === Kind.FIELD && repeatable.has(selection.name.value),
          ),
        isShareable: node.operation === 'subscription' && isShareable(node, sharing),
      });
    }
    const [only] = operations.values();
    if (operations.size === 1 && only !== undefined) operations.set(null, only);
    return operations;
  }

  return (document, name) => {
    let operations = documents.get(document);
    if (operations === undefined) {
      operations = read(document);
      documents.set(document, operations);
    }
    return operations.get(name ?? null) ?? null;
  };
}

function hasIntrospection(part: ASTNode): boolean {
  let found = false;
  visit(part, {
    Field: ({ name: { value } }) => {
      found ||= value === '__schema' || value === '__type';
    },
  });
  return found;
}

function hasSpread(part: ASTNode): boolean {
  let found = false;
  visit(part, {
    FragmentSpread: () => {
      found = true;
    },
  });
  return found;
}

/** The names of fields that decide whether subscribers can share a result. */
interface Sharing {
  /** Root fields whose events are the same for all subscribers. */
  readonly roots: ReadonlySet<string>;
  /** Fields whose values differ between the subscribers of one event. */
  readonly ownFields: ReadonlySet<string>;
}

function isShareable({ selectionSet }: OperationDefinitionNode, { roots, ownFields }: Sharing): boolean {
  const [root, ...others] = selectionSet.selections;
  if (root?.kind !== Kind.FIELD || others.length > 0 || !roots.has(root.name.value)) return false;
  let isFixed = root.directives === undefined || root.directives.length === 0;
  if (root.selectionSet === undefined) return isFixed;
  visit(root.selectionSet, {
    Field: ({ name }) => {
      isFixed &&= !ownFields.has(name.value);
    },
    Variable: () => {
      isFixed = false;
    },
    // The fields of a fragment stand elsewhere in the document.
    FragmentSpread: () => {
      isFixed = false;
    },
  });
  return isFixed;
}
