import { type ExecutionResult, type GraphQLSchema, graphql, parse, subscribe } from 'graphql';
import { anonymous, type Caller } from '../../src/auth/caller.js';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { FeatureService, type FeatureServiceOptions } from '../../src/features/service.js';
import { createContextFactory } from '../../src/graphql/context.js';
import { createSchema } from '../../src/graphql/index.js';
import { openPGlite } from './pglite.js';

export const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
export const bob = '00000000-0000-4000-8000-000000000001';

const inAnHour = () => Date.now() + 3_600_000;

export const callers = {
  anonymous,
  user: { role: 'USER', userId: ann, attributes: {}, expiresAt: inAnHour() },
  service: { role: 'SERVICE', userId: null, attributes: {}, expiresAt: inAnHour() },
  reader: { role: 'READER', userId: null, attributes: {}, expiresAt: inAnHour() },
  admin: { role: 'ADMIN', userId: null, attributes: {}, expiresAt: inAnHour() },
} as const satisfies Record<string, Caller>;

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
type Data = any;

/** The schema over a database (embedded unless another is given), without a server. */
export interface TestGraphQL {
  readonly database: DatabaseBackend;
  readonly service: FeatureService;
  readonly schema: GraphQLSchema;
  run(source: string, variables?: object, caller?: Caller): Promise<ExecutionResult<Data>>;
  /** The data of an operation by an admin that must succeed. */
  data(source: string, variables?: object, caller?: Caller): Promise<Data>;
  watch(
    source: string,
    variables?: object,
    caller?: Caller,
  ): Promise<AsyncGenerator<ExecutionResult<Data>> | ExecutionResult>;
  /** How many statements `act` sends to the database. */
  countQueries(act: () => Promise<unknown>): Promise<number>;
  close(): Promise<void>;
}

export async function openGraphQL(
  options: Partial<FeatureServiceOptions> & { allowAnonymous?: boolean; database?: DatabaseBackend } = {},
): Promise<TestGraphQL> {
  const { allowAnonymous = true, database = await openPGlite(), ...serviceOptions } = options;
  const service = await FeatureService.open({
    pollInterval: 3_600_000,
    usageInterval: 3_600_000,
    ...serviceOptions,
    backend: database,
  });
  const schema = createSchema();
  const contextFor = createContextFactory({
    service,
    prisma: database.prisma,
    allowAnonymous,
    server: { version: '0.0.0', environment: null, isProtected: false },
  });

  const run: TestGraphQL['run'] = (source, variables, caller = callers.admin) =>
    graphql({ schema, source, variableValues: { ...variables }, contextValue: contextFor(caller, { device: null }) });

  return {
    database,
    service,
    schema,
    run,
    async data(source, variables, caller) {
      const { data, errors } = await run(source, variables, caller);
      if (errors !== undefined) throw new Error(errors.map(error => error.stack).join('\n'));
      return data;
    },
    watch: (source, variables, caller = callers.admin) =>
      subscribe({
        schema,
        document: parse(source),
        variableValues: { ...variables },
        contextValue: contextFor(caller, { device: null }),
      }) as ReturnType<TestGraphQL['watch']>,
    async countQueries(act) {
      let count = 0;
      const stop = database.onQuery(() => {
        count += 1;
      });
      await act();
      stop();
      return count;
    },
    close: () => service.close(),
  };
}
