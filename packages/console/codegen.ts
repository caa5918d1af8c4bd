import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['packages/console/src/**/*.{ts,tsx}', '!packages/console/src/data/generated/**'],
  generates: {
    'packages/console/src/data/generated/': {
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
