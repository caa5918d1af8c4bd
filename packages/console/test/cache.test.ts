import { readFileSync } from 'node:fs';
import { buildSchema, type GraphQLInterfaceType } from 'graphql';
import { expect, it } from 'vitest';
import { errorTypes } from '../src/data/cache.js';

const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));

it('the cache knows every error of the schema', () => {
  const errors = schema.getPossibleTypes(schema.getType('Error') as GraphQLInterfaceType);
  expect(errorTypes).toEqual(errors.map(({ name }) => name).sort());
});
