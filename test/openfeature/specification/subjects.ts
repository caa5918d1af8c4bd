import { createClient } from '@halyard/client';
import { HalyardWebProvider } from '@halyard/client/openfeature';
import { type EvaluationDetails, type JsonValue, OpenFeature as ServerAPI } from '@openfeature/server-sdk';
import { OpenFeature as WebAPI } from '@openfeature/web-sdk';
import { createFeatures, type Features, MemoryBackend, UnavailableError } from '../../../src/index.js';
import { HalyardProvider } from '../../../src/openfeature/index.js';
import { controlled } from '../../support/controlled-backend.js';
import { startTestServer, type TestServer } from '../../support/server.js';
import { until } from '../../support/wait.js';
import { flags } from './flags.js';

export type FlagType = 'Boolean' | 'String' | 'Integer' | 'Float' | 'Object';
export type Details = EvaluationDetails<JsonValue>;
export type ProviderState = 'stable' | 'not ready' | 'error' | 'fatal' | 'stale';

/** One provider in its SDK. */
export interface Subject {
  /** Brings the provider into a state. */
  become(state: ProviderState): Promise<void>;
  status(): string;
  evaluate(
    type: FlagType,
    key: string,
    fallback: JsonValue,
    context: Record<string, JsonValue>,
    hooks?: readonly NamedHook[],
  ): Promise<Details>;
  close(): Promise<void>;
}

export interface NamedHook {
  before(): void;
  after(): void;
  finally(): void;
}

type Client = {
  readonly [method in `get${'Boolean' | 'String' | 'Number' | 'Object'}Details`]: (
    key: string,
    fallback: never,
    ...rest: never[]
  ) => unknown;
};

const ask = (client: Client, type: FlagType, key: string, fallback: JsonValue, ...rest: unknown[]) => {
  const method = `get${type === 'Integer' || type === 'Float' ? 'Number' : type}Details` as const;
  return client[method](key, fallback as never, ...(rest as never[])) as Details | Promise<Details>;
};

let domains = 0;

export async function startServerWithFlags(): Promise<TestServer> {
  const server = await startTestServer();
  for (const flag of flags) await server.service.management.createFlag(flag, null);
  return server;
}

/** Nothing listens there. */
const nowhere = 'http://127.0.0.1:9';

export function overLibrary(): Subject {
  const opened: Features[] = [];
  return serverSubject(
    async () => {
      const backend = controlled(new MemoryBackend());
      const features = await createFeatures({ backend, pollInterval: 20 });
      opened.push(features);
      for (const flag of flags) await features.createFlag(flag);
      return {
        provider: new HalyardProvider(features),
        fail: () => {
          backend.fail('changes', new UnavailableError());
        },
      };
    },
    () => Promise.all(opened.map(features => features.close())),
  );
}

export function overHttp(server: TestServer): Subject {
  return serverSubject(
    async state => {
      const token = (await server.token('service')) as string;
      let url = server.url;
      let fail = () => {};
      if (state === 'stale') {
        const other = await startTestServer({ AUTH_JWT_SECRET: 'another secret of at least 32 bytes' });
        url = other.url;
        const credential = (await other.token('service')) as string;
        fail = () => void other.close();
        return { provider: new HalyardProvider({ url, token: credential, pollInterval: 20 }), fail };
      }
      if (state === 'error') url = nowhere;
      return { provider: new HalyardProvider({ url, token, pollInterval: 20 }), fail };
    },
    async () => {},
  );
}

interface Made {
  readonly provider: HalyardProvider;
  readonly fail: () => void;
}

function serverSubject(make: (state: ProviderState) => Promise<Made>, close: () => Promise<unknown>): Subject {
  const stable = `stable-${domains++}`;
  let domain = stable;
  let isStable = false;
  return {
    async become(state) {
      if (state === 'stable' && isStable) {
        domain = stable;
        return;
      }
      domain = state === 'stable' ? stable : `${state}-${domains++}`;
      const { provider, fail } = await make(state);
      if (state === 'not ready') {
        provider.initialize = () => new Promise(() => {});
        ServerAPI.setProvider(domain, provider);
        return;
      }
      if (state === 'error') fail();
      await ServerAPI.setProviderAndWait(domain, provider).catch(() => {});
      isStable ||= state === 'stable';
      if (state !== 'stale') return;
      fail();
      await until(() => this.status() === 'STALE', 'the provider is stale');
    },
    status: () => ServerAPI.getClient(domain).providerStatus,
    evaluate: async (type, key, fallback, context, hooks) =>
      ask(ServerAPI.getClient(domain), type, key, fallback, context, ...(hooks === undefined ? [] : [{ hooks }])),
    async close() {
      await ServerAPI.clearProviders();
      await close();
    },
  };
}

/** Attributes are in the token of a page's user, so each context is another token. */
export function inPages(server: TestServer): Subject {
  const closers: (() => void)[] = [];
  const stable = `stable-${domains++}`;
  let domain = stable;
  let isStable = false;
  let context: Record<string, JsonValue> = {};
  const clientOf = (url: string, of: TestServer) => {
    const token = async () => (await of.token('user', { attributes: context })) ?? null;
    const client = createClient({ url, token, storage: null, subject: 'someone' });
    closers.push(() => client.close());
    return client;
  };
  return {
    async become(state) {
      if (state === 'stable' && isStable) {
        domain = stable;
        return;
      }
      domain = state === 'stable' ? stable : `${state}-${domains++}`;
      if (state === 'stale') {
        const other = await startTestServer();
        await WebAPI.setProviderAndWait(domain, new HalyardWebProvider(clientOf(other.url, other)));
        await other.close();
        await until(() => this.status() === 'STALE', 'the provider is stale');
        return;
      }
      const isReachable = state === 'stable';
      const client = clientOf(isReachable ? server.url : nowhere, server);
      const provider = new HalyardWebProvider(
        client,
        state === 'not ready' ? {} : { timeout: isReachable ? 10_000 : 20 },
      );
      const initialized = WebAPI.setProviderAndWait(domain, provider).catch(() => {});
      if (state !== 'not ready') await initialized;
      isStable ||= isReachable;
    },
    status: () => WebAPI.getClient(domain).providerStatus,
    async evaluate(type, key, fallback, asked, hooks) {
      if (JSON.stringify(asked) !== JSON.stringify(context) && this.status() === 'READY') {
        context = { ...asked };
        await WebAPI.setContext(domain, { ...asked, targetingKey: 'someone' });
      }
      return ask(WebAPI.getClient(domain), type, key, fallback, ...(hooks === undefined ? [] : [{ hooks }]));
    },
    async close() {
      for (const end of closers) end();
      await WebAPI.clearProviders();
    },
  };
}
