import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getIntrospectionQuery,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql';

/** How long the lists of an introspection are: of the whole schema on average, and at most where one type is named. */
interface ListLengths {
  readonly mean: Readonly<Record<string, number>>;
  readonly most: Readonly<Record<string, number>>;
}

/** The share of the limit that the whole schema costs, asked for once, as GraphiQL and code generators do. */
const shareOfWholeSchema = 0.5;
/** The share of the limit that each `__schema` and `__type` costs beside the fields below it. */
const shareOfRootField = 0.02;

/**
 * Makes a function that computes the cost of a document's introspection: a share of `limit` for each root field, and one for the fields
 * that the answer has, counted by the lists of this schema. However large the schema, tools can ask for it once.
 *
 * @param limit the highest cost of one operation.
 */
export function createIntrospectionCost(schema: GraphQLSchema, limit: number): (document: DocumentNode) => number {
  const count = createCounter(listLengths(schema));
  const whole = count(parse(getIntrospectionQuery({ ...allOptions })));
  return document => {
    const { fields, roots } = count(document);
    return Math.ceil(limit * ((shareOfWholeSchema * fields) / whole.fields + shareOfRootField * roots));
  };
}

const allOptions = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
} as const;

interface IntrospectionSize {
  /** Fields of the answer. */
  readonly fields: number;
  /** Root fields of introspection. */
  readonly roots: number;
}

/** Counts the introspection of the largest operation in a document. */
function createCounter(lengths: ListLengths): (document: DocumentNode) => IntrospectionSize {
  return document => {
    const fragments = new Map<string, FragmentDefinitionNode>();
    for (const node of document.definitions) {
      if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
    }
    const sizes = new Map<string, IntrospectionSize>();

    function sizeOf({ selections }: SelectionSetNode, counting: keyof ListLengths | null): IntrospectionSize {
      let fields = 0;
      let roots = 0;
      for (const node of selections) {
        const size =
          node.kind === Kind.FRAGMENT_SPREAD
            ? sizeOfFragment(node.name.value, counting)
            : node.kind === Kind.INLINE_FRAGMENT
              ? sizeOf(node.selectionSet, counting)
              : sizeOfField(node.name.value, node.selectionSet, counting);
        fields += size.fields;
        roots += size.roots;
      }
      return { fields, roots };
    }

    function sizeOfField(
      name: string,
      below: SelectionSetNode | undefined,
      counting: keyof ListLengths | null,
    ): IntrospectionSize {
      if (counting === null) {
        if (below === undefined) return nothing;
        if (name === '__schema') return { fields: 1 + sizeOf(below, 'mean').fields, roots: 1 };
        if (name === '__type') return { fields: 1 + sizeOf(below, 'most').fields, roots: 1 };
        return sizeOf(below, null);
      }
      const length = Object.hasOwn(lengths[counting], name) ? (lengths[counting][name] as number) : 1;
      // Behind a reference to one type any type may stand, the largest too.
      const next = name === 'type' || name === 'ofType' ? 'most' : counting;
      return { fields: length * (1 + (below === undefined ? 0 : sizeOf(below, next).fields)), roots: 0 };
    }

    function sizeOfFragment(name: string, counting: keyof ListLengths | null): IntrospectionSize {
      const key = `${counting} ${name}`;
      const known = sizes.get(key);
      if (known !== undefined) return known;
      // A spread that closes a cycle counts as nothing here: a rule of graphql refuses those.
      sizes.set(key, nothing);
      const fragment = fragments.get(name);
      const size = fragment === undefined ? nothing : sizeOf(fragment.selectionSet, counting);
      sizes.set(key, size);
      return size;
    }

    let largest = nothing;
    for (const node of document.definitions) {
      if (node.kind !== Kind.OPERATION_DEFINITION) continue;
      const { fields, roots } = sizeOf(node.selectionSet, null);
      largest = { fields: Math.max(largest.fields, fields), roots: Math.max(largest.roots, roots) };
    }
    return largest;
  };
}

const nothing: IntrospectionSize = { fields: 0, roots: 0 };

function listLengths(schema: GraphQLSchema): ListLengths {
  const types = Object.values(schema.getTypeMap());
  const directives = schema.getDirectives();
  const fieldsOf = types.flatMap(type =>
    isObjectType(type) || isInterfaceType(type) ? [Object.values(type.getFields())] : [],
  );
  const fields = fieldsOf.flat();
  const lists: Readonly<Record<string, { readonly sizes: readonly number[]; readonly owners: number }>> = {
    fields: { sizes: fieldsOf.map(list => list.length), owners: types.length },
    args: {
      sizes: [...fields, ...directives].map(({ args }) => args.length),
      owners: fields.length + directives.length,
    },
    inputFields: {
      sizes: types.filter(isInputObjectType).map(type => Object.keys(type.getFields()).length),
      owners: types.length,
    },
    enumValues: { sizes: types.filter(isEnumType).map(type => type.getValues().length), owners: types.length },
    interfaces: {
      sizes: types.flatMap(type => (isObjectType(type) || isInterfaceType(type) ? [type.getInterfaces().length] : [])),
      owners: types.length,
    },
    possibleTypes: {
      sizes: types.flatMap(type =>
        isInterfaceType(type) || isUnionType(type) ? [schema.getPossibleTypes(type).length] : [],
      ),
      owners: types.length,
    },
    locations: { sizes: directives.map(({ locations }) => locations.length), owners: directives.length },
  };
  const whole = { types: types.length, directives: directives.length };
  const mean: Record<string, number> = { ...whole };
  const most: Record<string, number> = { ...whole };
  for (const [name, { sizes, owners }] of Object.entries(lists)) {
    mean[name] = sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, owners);
    most[name] = Math.max(1, ...sizes);
  }
  return { mean, most };
}
