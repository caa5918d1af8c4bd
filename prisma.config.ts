import { defineConfig } from 'prisma/config';

// `prisma generate` needs no native engine, yet tries to download one first. Naming any executable that exists stops
// that, so generation works without a network. For `generate` alone: a fake engine makes `migrate` print nothing.
if (process.argv.includes('generate')) {
  process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;
}

const url = process.env['DATABASE_URL'];

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(url === undefined ? {} : { datasource: { url } }),
});
