import type { CodegenConfig } from '@graphql-codegen/cli';

// Types for the operations that the demo and the tests send: the result of `graphql('...')` knows its variables and answer.
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['demo/**/*.ts', 'test/**/*.ts'],
  generates: {
    'generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        importExtension: '.js',
        scalars: {
          UserID: 'string',
          UUID: 'string',
          DateTime: 'string',
          JSON: 'unknown',
          JSONObject: 'Record<string, unknown>',
          Conditions: 'unknown',
        },
      },
    },
  },
};

export default config;
