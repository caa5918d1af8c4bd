import { GraphQLScalarType, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';
import { GraphQLDateTime, GraphQLJSONObject, GraphQLUUID } from 'graphql-scalars';
import { isPlainObject } from '../core/json.js';
import { builder } from './builder.js';

const expectedObject = 'Expected a JSON object, such as {"plan": "pro"}.';

builder.addScalarType(
  'UUID',
  new GraphQLScalarType<string, string>({
    ...GraphQLUUID.toConfig(),
    name: 'UUID',
    description: 'A UUID in its form of 36 characters. Input may be in upper or lower case; output is in lower case.',
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
    description:
      'A time in ISO 8601 with an offset, such as `2026-06-01T00:00:00Z`, in the years 1 to 9999. Output is in UTC.',
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
    description: 'A JSON object.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
    extensions: {},
    parseValue: value => {
      if (!isPlainObject(value)) throw new TypeError(expectedObject);
      return value;
    },
    parseLiteral: (node, variables) => {
      if (node.kind !== Kind.OBJECT) throw new TypeError(expectedObject);
      return valueFromASTUntyped(node, variables) as Record<string, unknown>;
    },
  }),
);

builder.addScalarType(
  'Conditions',
  new GraphQLScalarType<unknown, unknown>({
    name: 'Conditions',
    description: [
      'Targeting rules as a JSON object: `{}` for no rules, or one of these forms.',
      '',
      '- `{"attributes": {...}, "groups": [...]}`: matches users whose attributes match, and users in any of the groups. One of the two may be omitted.',
      '- `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}`: combine conditions.',
      '',
      'An attribute is compared with a plain value (`eq`), a list (`in`) or an object of operators, such as',
      '`{"attributes": {"plan": "pro", "country": ["DE", "BR"], "age": {"gte": 18}}}`.',
      '',
      'This scalar accepts any JSON. A mutation returns a `ValidationError` that names each fault if the value is not a valid rule.',
    ].join('\n'),
    serialize: value => value,
    parseValue: value => value,
    parseLiteral: (node: ValueNode, variables) => valueFromASTUntyped(node, variables),
  }),
);

/** PostgreSQL has no year 0, and JavaScript and PostgreSQL write years of five digits differently. */
function inCalendar(date: Date): Date {
  const year = date.getUTCFullYear();
  if (year < 1 || year > 9_999)
    throw new TypeError(`Expected a DateTime in the years 1 to 9999, found the year ${year}.`);
  return date;
}
