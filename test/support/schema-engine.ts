import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';
import { type Migration, migrationsFolder } from '../../src/backends/migrate.js';

const filters = { externalTables: [], externalEnums: [] };

/**
 * Prisma's own schema engine, as WebAssembly over a driver adapter. The command line's native engine is not there, and
 * with a stand-in for it `prisma migrate diff` prints nothing whatever the difference.
 */
export class PrismaEngine {
  private constructor(readonly engine: glue.SchemaEngine) {}

  static async connect(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<PrismaEngine> {
    await load();
    const bound = bindMigrationAwareSqlAdapterFactory(adapter);
    return new PrismaEngine(await glue.SchemaEngine.new({ datamodels: undefined }, () => undefined, bound));
  }

  /** What would have to be done to the database to make it what `schema` says, in words. */
  async difference(schema: string): Promise<string> {
    const files = [{ path: 'schema.prisma', content: schema }];
    const { stdout } = await this.engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: '.' },
      to: { tag: 'schemaDatamodel', files },
      script: false,
      exitCode: null,
      filters,
    });
    return stdout ?? '';
  }

  /** What `prisma migrate status` goes by. */
  diagnose(migrations: readonly Migration[]): Promise<glue.DiagnoseMigrationHistoryOutput> {
    return this.engine.diagnoseMigrationHistory({
      migrationsList: list(migrations),
      optInToShadowDatabase: false,
      filters,
    });
  }

  /** What `prisma migrate deploy` does. */
  async deploy(migrations: readonly Migration[]): Promise<readonly string[]> {
    return (await this.engine.applyMigrations({ migrationsList: list(migrations), filters })).appliedMigrationNames;
  }

  /** What `prisma migrate resolve --applied` does. */
  async markApplied(migrations: readonly Migration[], name: string): Promise<void> {
    await this.engine.markMigrationApplied({ migrationsList: list(migrations), migrationName: name });
  }

  free(): void {
    this.engine.free();
  }
}

function list(migrations: readonly Migration[]) {
  return {
    baseDir: migrationsFolder,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
    })),
  };
}

let loaded: Promise<void> | undefined;

/** Node 20 imports no WebAssembly modules: what the package's entry point does, by hand. */
function load(): Promise<void> {
  loaded ??= (async () => {
    const file = createRequire(import.meta.url)
      .resolve('@prisma/schema-engine-wasm/schema_engine_bg')
      .replace(/\.js$/, '.wasm');
    const { instance } = await WebAssembly.instantiate(await readFile(file), {
      './schema_engine_bg.js': glue as unknown as WebAssembly.ModuleImports,
    });
    glue.__wbg_set_wasm(instance.exports);
    (instance.exports['__wbindgen_start'] as () => void)();
  })();
  return loaded;
}
