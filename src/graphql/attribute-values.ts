import { isBuiltIn } from '../core/attribute-reader.js';
import { attributeLimits, isReservedName } from '../core/attributes.js';
import type { Json } from '../core/json.js';
import { isName, maxNameLength } from '../core/text.js';
import { Prisma, type PrismaClient } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { badUserInput } from './errors.js';
import { firstArg, mostItems } from './page.js';

/** How much of the table of users is read for the values of an attribute, in bytes. A larger table is sampled. */
export const maxSampledBytes = 4_194_304;
/** Longest value that is listed, in characters of its JSON (code points). */
export const maxListedValue = 200;

interface Value {
  readonly value: Json;
  readonly count: number;
}

interface Values {
  readonly values: readonly Value[];
  readonly counted: number;
  readonly isComplete: boolean;
}

/** A path of names in the form that SQL reads. Strict: like conditions, it does not look into lists on the way. */
const jsonPath = (names: readonly string[]): string =>
  `strict $${names.map(name => `.${JSON.stringify(name)}`).join('')}`;

/** Where conditions find an attribute of this name: under the name itself, else by its path. */
function pathsOf(name: string): readonly string[] {
  const names = name.split('.');
  const isPath = names.length > 1 && names.length <= attributeLimits.depth && !isReservedName(name);
  return [jsonPath([name]), ...(isPath ? [jsonPath(names)] : [])];
}

/**
 * The values of an attribute, the most frequent first, from one statement. It reads whole pages of the table that are chosen by
 * chance, always the same ones as long as the table is as it is: users who were stored at any time are among them.
 */
export async function readAttributeValues(prisma: PrismaClient, name: string, limit: number): Promise<Values> {
  const found = pathsOf(name).map(
    path => Prisma.sql`nullif(jsonb_path_query_first(attributes, ${path}::text::jsonpath, '{}', true), 'null')`,
  );
  const [row] = await prisma.$queryRaw<[{ result: string }]>`
    WITH extent AS (
      SELECT 100.0 * ${maxSampledBytes} / greatest(pg_relation_size('users'), ${maxSampledBytes}) AS percent
    ), sampled AS MATERIALIZED (
      SELECT coalesce(${Prisma.join(found)}) AS value
      FROM users TABLESAMPLE SYSTEM ((SELECT percent FROM extent)) REPEATABLE (0)
    ), listed AS (
      SELECT item.value, count(*)::int AS count
      FROM sampled CROSS JOIN LATERAL (
        SELECT DISTINCT element AS value
        FROM jsonb_array_elements(CASE jsonb_typeof(sampled.value) WHEN 'array' THEN sampled.value
                                  ELSE jsonb_build_array(sampled.value) END) AS element
        WHERE jsonb_typeof(element) IN ('string', 'number', 'boolean') AND char_length(element::text) <= ${maxListedValue}
      ) AS item
      WHERE sampled.value IS NOT NULL
      GROUP BY item.value
      ORDER BY count DESC, item.value::text COLLATE "C"
      LIMIT ${limit}
    )
    SELECT json_build_object(
      'values', (SELECT coalesce(json_agg(json_build_object('value', value, 'count', count)
                                          ORDER BY count DESC, value::text COLLATE "C"), '[]') FROM listed),
      'counted', (SELECT count(*) FROM sampled),
      'isComplete', (SELECT percent >= 100 FROM extent))::text AS result`;
  return JSON.parse(row.result) as Values;
}

const AttributeValue = builder.objectRef<Value>('AttributeValue').implement({
  description: 'A value of an attribute, with the number of users who have it.',
  fields: t => ({
    value: t.field({
      type: 'JSON',
      description: 'The value: a text, a number, true or false.',
      resolve: ({ value }) => value,
    }),
    count: t.exposeInt('count', { description: 'The number of counted users who have it.' }),
  }),
});

const AttributeValues = builder.objectRef<Values>('AttributeValues').implement({
  description: 'The values of an attribute that stored users have.',
  fields: t => ({
    values: t.field({
      type: [AttributeValue],
      description: 'The values, the most frequent first.',
      complexity: { multiplier: 1 },
      resolve: ({ values }) => values,
    }),
    counted: t.exposeInt('counted', {
      description: 'The number of users that were looked at, including those without this attribute.',
    }),
    isComplete: t.exposeBoolean('isComplete', {
      description: 'Whether all stored users were looked at. If false, rare values may be missing.',
    }),
  }),
});

builder.queryFields(t => ({
  attributeValues: t.field({
    type: AttributeValues,
    description: `Reader, admin. The values that stored users have for an attribute, for suggestions in forms. Each element of a list counts as a value; objects, and values longer than ${maxListedValue} characters as JSON, are left out. Of many users only a sample is looked at. Attributes in tokens are not known here.`,
    authScopes: { reader: true },
    args: {
      name: t.arg.string({
        required: true,
        description: 'The name of the attribute as conditions write it, such as `plan` or `address.country`.',
      }),
      ...firstArg,
    },
    resolve: (_root, { name, ...args }, { prisma }) => {
      if (isBuiltIn(name)) {
        const message = `The built-in attribute "${name}" is not stored. Find users by their ids with the field \`users\`.`;
        throw badUserInput({ path: ['name'], message });
      }
      if (!isName(name)) {
        throw badUserInput({
          path: ['name'],
          message: `Expected 1 to ${maxNameLength} characters that can be stored.`,
        });
      }
      return readAttributeValues(prisma, name, mostItems(args));
    },
  }),
}));
