import { readFile } from 'node:fs/promises';
import { buildSchema, type GraphQLInterfaceType, isInterfaceType } from 'graphql';
import { expect, it } from 'vitest';
import { errorTypes } from '../src/data/cache.js';

it('the cache knows every type of a refusal', async () => {
  const schema = buildSchema(await readFile(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
  const type = schema.getType('Error');
  expect(isInterfaceType(type)).toBe(true);
  const names = schema.getPossibleTypes(type as GraphQLInterfaceType).map(({ name }) => name);
  expect([...errorTypes].sort()).toEqual([...names].sort());
});
