import { readFileSync } from 'node:fs';
import {
  type GraphQLScalarType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isSpecifiedScalarType,
  printSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { inputs } from '../../src/core/inputs.js';
import { createSchema } from '../../src/graphql/index.js';

const schema = createSchema();

it('equals schema.graphql (if not, run `npm run codegen`)', () => {
  const committed = readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8');
  expect(`${printSchema(schema)}\n`).toBe(committed);
});

it.each([
  ['CreateFlagInput', inputs.createFlag],
  ['UpdateFlagInput', inputs.updateFlag],
  ['UpdateFlagsInput', inputs.updateFlags],
  ['ApplyDefinitionsInput', inputs.applyDefinitions],
  ['DeleteFlagInput', inputs.deleteFlag],
  ['SetOverrideInput', inputs.setOverride],
] as const)('takes in %s every field that the service takes, and no other', (name, { shape }) => {
  const type = schema.getType(name);
  const fields = isInputObjectType(type) ? Object.keys(type.getFields()) : [];
  // Confirmations are between the caller and the API.
  expect(fields.filter(field => field !== 'confirm').sort()).toEqual(Object.keys(shape).sort());
});

describe('is a manual', () => {
  const places = Object.values(schema.getTypeMap())
    .filter(type => !type.name.startsWith('__') && !isSpecifiedScalarType(type))
    .flatMap(type => {
      const described: [string, string | null | undefined][] = [[type.name, type.description]];
      if (isEnumType(type)) {
        for (const value of type.getValues()) described.push([`${type.name}.${value.name}`, value.description]);
      }
      if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) {
          described.push([`${type.name}.${field.name}`, field.description]);
          for (const arg of 'args' in field ? field.args : []) {
            described.push([`${type.name}.${field.name}(${arg.name}:)`, arg.description]);
          }
        }
      }
      return described;
    });

  it('that describes every type, field, argument and enum value', () => {
    expect(places.length).toBeGreaterThan(200);
    expect(places.filter(([, description]) => !description).map(([place]) => place)).toEqual([]);
  });

  it('that names things: no description begins with a question word', () => {
    const questions = places.filter(([, text]) =>
      /^(?:Who|Whom|Whose|What|Which|When|Where|Why|How)\b/.test(text ?? ''),
    );
    expect(questions.map(([place, text]) => `${place}: ${text}`)).toEqual([]);
  });
});

it('names the roles that may use each root field, unless everybody may', () => {
  const open = ['Query.isEnabled', 'Query.viewer', 'Subscription.viewerFeatures', 'Subscription.isEnabled'];
  const undocumented = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(type =>
    Object.values(type?.getFields() ?? {})
      .filter(field => !open.includes(`${type?.name}.${field.name}`))
      .filter(
        field =>
          !/^(Admin|Reader, admin|Service, reader, admin|User, service, admin)(\. |, or any caller )/.test(
            field.description ?? '',
          ),
      )
      .map(field => `${type?.name}.${field.name}`),
  );
  expect(undocumented).toEqual([]);
});

describe('a DateTime', () => {
  const read = (text: string) => (schema.getType('DateTime') as GraphQLScalarType).parseValue(text);

  it('may be a date, which is midnight in UTC', () => {
    expect(read('2026-11-28')).toEqual(new Date('2026-11-28T00:00:00Z'));
    expect(read('2026-11-28T01:00:00+01:00')).toEqual(new Date('2026-11-28T00:00:00Z'));
  });

  it.each(['2 days', '2026-11-28T12:00', '2026-02-30', '28.11.2026', ''])(
    'that cannot be read is answered with an example: %s',
    text => {
      expect(() => read(text)).toThrow(
        'Expected a time such as "2026-06-01T00:00:00Z", or a date such as "2026-06-01", which means midnight in UTC.',
      );
    },
  );
});
