import { GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { GraphQLDateTime, GraphQLJSONObject } from 'graphql-scalars';
import { isPlainObject } from '../core/json.js';
import { canonicalUserId, isUuid, userIdFault, userIdForm } from '../core/user-id.js';
import { builder } from './builder.js';
import { jsonLiteral } from './json-literal.js';

const expectedObject = 'Expected a JSON object, such as {"plan": "pro"}.';

builder.addScalarType(
  'UserID',
  new GraphQLScalarType<string, string>({
    name: 'UserID',
    description: `The id of a user, as the identity provider issues it: ${userIdForm}, such as \`auth0|5f7c1\` or \`1042\`. A UUID in its form of 36 characters may be in upper or lower case; output is in lower case.`,
    serialize: String,
    parseValue: readUserId,
    parseLiteral: node => readUserId(node.kind === Kind.INT ? Number(node.value) : textOf(node)),
  }),
);

builder.addScalarType(
  'UUID',
  new GraphQLScalarType<string, string>({
    name: 'UUID',
    description: 'A UUID in its form of 36 characters. Input may be in upper or lower case; output is in lower case.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc9562',
    serialize: String,
    parseValue: readUuid,
    parseLiteral: node => readUuid(textOf(node)),
  }),
);

builder.addScalarType(
  'DateTime',
  new GraphQLScalarType<Date, Date>({
    ...GraphQLDateTime.toConfig(),
    description:
      'A time in ISO 8601 with an offset, such as `2026-06-01T00:00:00Z`, in the years 1 to 9999. Input may be a date, such as `2026-06-01`, which means midnight in UTC. Output is in UTC.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
    extensions: {},
    parseValue: readDateTime,
    parseLiteral: node => readDateTime(textOf(node)),
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
      return jsonLiteral(node, variables) as Record<string, unknown>;
    },
  }),
);

builder.addScalarType(
  'JSON',
  new GraphQLScalarType<unknown, unknown>({
    name: 'JSON',
    description: 'A JSON value: a text, a number, true or false, a list or an object.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
    serialize: value => value,
    parseValue: value => value,
    parseLiteral: jsonLiteral,
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
      '`$id` is the user id, `$targetingKey` the key that rollouts hash, and `address.country` an attribute in an object.',
      '`"ignore_case": true` stands beside operators on text.',
      '',
      'This scalar accepts any JSON. A mutation returns a `ValidationError` that names each fault if the value is not a valid rule.',
    ].join('\n'),
    serialize: value => value,
    parseValue: value => value,
    parseLiteral: jsonLiteral,
  }),
);

/** The text of a literal; undefined for a literal of another kind. */
function textOf(node: ValueNode): string | undefined {
  return node.kind === Kind.STRING ? node.value : undefined;
}

// The messages of the library repeat the whole value, and it reads texts of any length.

function readUserId(value: unknown): string {
  const fault = userIdFault(value);
  if (fault === null) return canonicalUserId(value as string);
  throw new TypeError(fault);
}

function readUuid(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value.toLowerCase();
  throw new TypeError('Expected a UUID such as "0f8fad5b-d9cb-469f-a165-70867728950e".');
}

/** Longest text that is read as an instant, in UTF-16 code units: with 9 digits of a second it has 35. */
const maxInstantLength = 64;

const expectedTime =
  'Expected a time such as "2026-06-01T00:00:00Z", or a date such as "2026-06-01", which means midnight in UTC.';
const dateLength = '2026-06-01'.length;

function readDateTime(value: unknown): Date {
  const date = parseTime(value);
  if (date === null) throw new TypeError(expectedTime);
  const year = date.getUTCFullYear();
  // PostgreSQL has no year 0, and JavaScript and PostgreSQL write years of five digits differently.
  if (year < 1 || year > 9_999)
    throw new TypeError(`Expected a DateTime in the years 1 to 9999, found the year ${year}.`);
  return date;
}

function parseTime(value: unknown): Date | null {
  // A server that calls the schema itself may have made the date already.
  if (!(value instanceof Date) && (typeof value !== 'string' || value.length > maxInstantLength)) return null;
  const isDate = typeof value === 'string' && value.length === dateLength;
  try {
    return GraphQLDateTime.parseValue(isDate ? `${value}T00:00:00Z` : value);
  } catch {
    return null;
  }
}
