import type { CodegenConfig } from '@graphql-codegen/cli';

const output = {
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
} as const;

// Types for the operations that the demo, the tests and the console send: the result of `graphql('...')` knows its variables and answer.
const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'generated/': { ...output, documents: ['demo/**/*.ts', 'test/**/*.ts'] },
    'packages/console/src/data/generated/': {
      ...output,
      documents: ['packages/console/src/**/*.{ts,tsx}', '!packages/console/src/data/generated/**'],
    },
  },
};

export default config;
