import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

const require = createRequire(import.meta.url);

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Many tests wait for a database, a lock or a socket rather than for the processor.
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Tests that look for leaks collect garbage first.
    execArgv: ['--expose-gc'],
  },
  resolve: {
    // Vite would take the ESM build while Node gives the CommonJS one to every library, and two copies of graphql in one
    // process do not know each other's types.
    alias: [{ find: /^graphql$/, replacement: require.resolve('graphql') }],
  },
});
