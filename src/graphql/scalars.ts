import { GraphQLScalarType, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';
import { GraphQLDateTime, GraphQLJSONObject, GraphQLUUID } from 'graphql-scalars';
import { isPlainObject } from '../core/json.js';
import { builder } from './builder.js';

builder.addScalarType(
  'UUID',
  new GraphQLScalarType<string, string>({
    ...GraphQLUUID.toConfig(),
    name: 'UUID',
    description: 'A UUID in its 36-character form. Any case is taken; answers are in lower case.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc9562',
    extensions: {},
    parseValue: value => GraphQLUUID.parseValue(value).toLowerCase(),
    parseLiteral: (node, variables) => GraphQLUUID.parseLiteral(node, variables).toLowerCase(),
  }),
);

builder.addScalarType(
  'DateTime',
  new GraphQLScalarType<Date, Date>({
    ...GraphQLDateTime.toConfig(),
    description: 'An instant in ISO 8601 with an offset, such as `2026-06-01T00:00:00Z`, from the year 1 to 9999.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
    extensions: {},
    parseValue: value => inCalendar(GraphQLDateTime.parseValue(value)),
    parseLiteral: (node, variables) => inCalendar(GraphQLDateTime.parseLiteral(node, variables)),
  }),
);

builder.addScalarType(
  'JSONObject',
  new GraphQLScalarType<Record<string, unknown>, object>({
    ...GraphQLJSONObject.toConfig(),
    description: 'Any JSON object.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
    extensions: {},
    parseValue: value => {
      if (!isPlainObject(value)) throw new TypeError('Expected a JSON object.');
      return value;
    },
    parseLiteral: (node, variables) => {
      if (node.kind !== Kind.OBJECT) throw new TypeError('Expected a JSON object.');
      return valueFromASTUntyped(node, variables) as Record<string, unknown>;
    },
  }),
);

builder.addScalarType(
  'Conditions',
  new GraphQLScalarType<unknown, unknown>({
    name: 'Conditions',
    description: [
      'Targeting rules as JSON: `{}` for none, or one of `{"attributes": {...}, "groups": [...]}` (either or both: a user',
      'who matches the attributes or is in one of the groups is in), `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}`.',
      'An attribute is compared with a plain value (`eq`), a list (`in`) or an object of operators, such as',
      '`{"attributes": {"plan": "pro", "country": ["DE", "BR"], "age": {"gte": 18}}}`.',
      '',
      'Takes any JSON here; what is not a rule is answered as a `ValidationError` that names each fault.',
    ].join('\n'),
    serialize: value => value,
    parseValue: value => value,
    parseLiteral: (node: ValueNode, variables) => valueFromASTUntyped(node, variables),
  }),
);

/** Databases have no year 0, and write years of five digits in a way of their own. */
function inCalendar(date: Date): Date {
  const year = date.getUTCFullYear();
  if (year < 1 || year > 9_999) throw new TypeError('DateTime must lie in the years 1 to 9999.');
  return date;
}
