import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

const require = createRequire(import.meta.url);

/** Files that keep both cores busy, and judge how long a server takes meanwhile. They run one by one, when all others have. */
const demanding = ['test/hostile/*.test.ts', 'test/chaos/chaos.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'side by side',
          include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
          exclude: demanding,
          // Many tests wait for a database, a lock or a socket rather than for the processor.
          maxWorkers: '100%',
        },
      },
      {
        extends: true,
        test: { name: 'one by one', include: demanding, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Tests that look for leaks collect garbage first.
    execArgv: ['--expose-gc'],
  },
  resolve: {
    // Vite would take the ESM build while Node gives the CommonJS one to every library, and two copies of graphql in one
    // process do not know each other's types.
    alias: [{ find: /^graphql$/, replacement: require.resolve('graphql') }],
  },
});
