import { type DocumentNode, GraphQLError, Kind, type SelectionSetNode } from 'graphql';
import type { ParseLimits } from './document.js';

/** How large an operation may be, fragments counted as often as they are spread. */
export interface DocumentLimits extends ParseLimits {
  readonly fields: number;
  readonly aliases: number;
  readonly directives: number;
  /** Levels of fields. The introspection query of GraphiQL has 14. */
  readonly depth: number;
  /** The highest cost of introspection in one operation; see `createIntrospectionCost`. */
  readonly introspectionCost: number;
}

export const defaultDocumentLimits: DocumentLimits = Object.freeze({
  documentLength: 40_000,
  tokens: 2_000,
  fields: 1_000,
  aliases: 100,
  directives: 50,
  depth: 16,
  introspectionCost: 100_000,
});

type Size = Pick<DocumentLimits, 'fields' | 'aliases' | 'directives' | 'depth'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const measures = ['fields', 'aliases', 'directives', 'depth'] as const;

/**
 * The fault of a parsed document that is too large: one error, or none if all fits. Each fragment is measured once, so that this
 * takes time in proportion to the document however its fragments multiply; it runs before the rules of graphql, some of
 * which do not.
 */
export function documentLimitErrors(document: DocumentNode, limits: DocumentLimits): GraphQLError[] {
  const fragments = new Map(
    document.definitions.flatMap(node => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );
  const measured = new Map<string, Size | null>();

  function measureFragment(name: string): Size | null {
    const known = measured.get(name);
    // Null: being measured right now, so this spread closes a cycle. A rule of graphql refuses those.
    if (known !== undefined) return known;
    const fragment = fragments.get(name);
    if (fragment === undefined) return null;
    measured.set(name, null);
    const size = measure(fragment.selectionSet, fragment.directives?.length ?? 0);
    measured.set(name, size);
    return size;
  }

  function measure(selectionSet: SelectionSetNode, directives: number): Size {
    const total: Mutable<Size> = { fields: 0, aliases: 0, directives, depth: 0 };
    for (const node of selectionSet.selections) {
      total.directives += node.directives?.length ?? 0;
      if (node.kind === Kind.FIELD) {
        total.fields += 1;
        if (node.alias !== undefined) total.aliases += 1;
        total.depth = Math.max(total.depth, 1);
      }
      const below =
        node.kind === Kind.FRAGMENT_SPREAD
          ? measureFragment(node.name.value)
          : node.selectionSet && measure(node.selectionSet, 0);
      if (!below) continue;
      total.fields += below.fields;
      total.aliases += below.aliases;
      total.directives += below.directives;
      total.depth = Math.max(total.depth, below.depth + (node.kind === Kind.FIELD ? 1 : 0));
    }
    return total;
  }

  for (const node of document.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION && node.kind !== Kind.FRAGMENT_DEFINITION) continue;
    const variables = node.variableDefinitions?.flatMap(variable => variable.directives ?? []).length ?? 0;
    const size = measure(node.selectionSet, (node.directives?.length ?? 0) + variables);
    const over = measures.find(measure => size[measure] > limits[measure]);
    if (over === undefined) continue;
    const what = { fields: 'fields', aliases: 'aliases', directives: 'directives', depth: 'levels of fields' }[over];
    return [limitError(`The operation has ${size[over]} ${what}; at most ${limits[over]} are allowed.`)];
  }
  return [];
}

/** A document that is larger than it may be. */
export const limitError = (message: string) =>
  new GraphQLError(message, { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
