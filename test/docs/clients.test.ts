import { buildSchema, isAbstractType, isScalarType, printSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import config from '../../codegen.js';
import { createSchema } from '../../src/graphql/index.js';
import { block, ClientProject, page } from '../clients/recipes.js';

const schema = buildSchema(printSchema(createSchema()));
const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));

describe('docs/clients.md', { timeout: 120_000 }, () => {
  it('has files that compile, with the types that both generators write', async () => {
    await using project = await ClientProject.write();
    expect(await project.typeErrors()).toEqual([]);
  });

  it('has no block that is no file of the project, or data that is compared here', () => {
    for (const { note, language } of page.blocks) {
      expect([note, language]).toEqual([
        expect.stringMatching(/^[\w.-]+\.(ts|tsx|json)$/),
        expect.stringMatching(/^(tsx?|json)$/),
      ]);
    }
  });

  it('lists the types behind each interface and union', () => {
    const abstract = types.filter(isAbstractType);
    expect(JSON.parse(block('possible-types.json'))).toEqual(
      Object.fromEntries(abstract.map(type => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)])),
    );
  });

  it('lists each scalar with its type, as this repository and both generators map it', () => {
    const rows = [...page.text.matchAll(/^\| `(\w+)`.*\| `([^`]+)` \|$/gm)].map(([, name = '', type = '']) => [
      name,
      type,
    ]);
    const listed = Object.fromEntries(rows);
    const own = types
      .filter(isScalarType)
      .map(({ name }) => name)
      .filter(name => !['String', 'Boolean', 'Float'].includes(name));
    expect(Object.keys(listed).sort()).toEqual(own.sort());
    const { ID, Int, ...custom } = listed;
    expect([ID, Int]).toEqual(['string', 'number']);
    expect(config.generates['generated/']).toMatchObject({ config: { scalars: custom } });
    expect(JSON.parse(block('relay.config.json')).customScalarTypes).toEqual(custom);
    for (const [name, type] of Object.entries(custom)) expect(block('codegen.ts')).toContain(`${name}: '${type}',`);
  });
});
