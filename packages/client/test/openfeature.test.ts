import { type Answer, type Client, createClient, type Status } from '@halyard/client';
import { HalyardWebProvider } from '@halyard/client/openfeature';
import { OpenFeatureProvider, useBooleanFlagValue, useStringFlagValue } from '@openfeature/react-sdk';
import { FirstMatchStrategy, InMemoryProvider, MultiProvider, OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cleanups } from '../../../test/support/cleanups.js';
import { openPGlite } from '../../../test/support/pglite.js';
import { ann, bob, startTestServer, type TestServer } from '../../../test/support/server.js';
import { until } from '../../../test/support/wait.js';

const onCleanup = (cleanup: () => unknown) => cleanups.push(cleanup);
afterEach(async () => {
  await OpenFeature.clearProviders();
  await OpenFeature.clearContexts();
});

const answer = (value: Answer['value'], reason = 'ENABLED', variant: string | null = 'on'): Answer => {
  return { enabled: true, value, variant, reason };
};

/** A client whose answers and status the test decides. */
class StagedClient implements Pick<Client, keyof Client> {
  status: Status = 'connecting';
  readonly bootstrap = undefined;
  source: Client['source'] = 'default';
  answers: Record<string, Answer> = {};
  subject = '';
  isClosed = false;
  readonly identified: unknown[] = [];
  readonly listeners = new Set<(keys: readonly string[]) => void>();
  readonly statusListeners = new Set<() => void>();
  #resolve = () => {};
  readonly #ready = new Promise<void>(resolve => {
    this.#resolve = resolve;
  });

  show(answers: Record<string, Answer>): void {
    this.answers = answers;
    this.source = 'live';
    this.become('live');
    this.#resolve();
    for (const listener of this.listeners) listener(Object.keys(answers));
  }

  /** Has answers of the last visit, and no connection yet. */
  keep(answers: Record<string, Answer>): void {
    this.answers = answers;
    this.source = 'cache';
    this.become('connecting');
    this.#resolve();
  }

  become(status: Status): void {
    this.status = status;
    for (const listener of this.statusListeners) listener();
  }

  ready = () => this.#ready;
  isEnabled = () => false;
  value = <Value>(_key: string, fallback: Value): never => fallback as never;
  evaluate = (key: string) => this.answers[key];
  all = () => this.answers;
  onKey = () => () => {};
  snapshot = () => ({ subject: this.subject, revision: 7, answers: this.answers });

  onChange = (listener: (keys: readonly string[]) => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  onStatus = (listener: () => void) => {
    this.statusListeners.add(listener);
    return () => void this.statusListeners.delete(listener);
  };

  identify = async (options?: { readonly subject?: string | null | undefined }) => {
    this.identified.push(options);
    this.subject = options?.subject ?? '';
  };

  close = () => {
    this.isClosed = true;
    this.become('closed');
  };
}

async function staged(answers: Record<string, Answer> = {}) {
  const client = new StagedClient();
  client.show(answers);
  await OpenFeature.setProviderAndWait(new HalyardWebProvider(client));
  return { client, web: OpenFeature.getClient() };
}

describe('the web provider', () => {
  it.each<[string, string]>([
    ['ENABLED', 'STATIC'],
    ['ROLLOUT', 'SPLIT'],
    ['OUTSIDE_ROLLOUT', 'SPLIT'],
    ['SPLIT', 'SPLIT'],
    ['OVERRIDE', 'TARGETING_MATCH'],
    ['CONDITIONS_MET', 'TARGETING_MATCH'],
    ['RULE', 'TARGETING_MATCH'],
    ['CONDITIONS_NOT_MET', 'DEFAULT'],
    ['USER_REQUIRED', 'DEFAULT'],
    ['DISABLED', 'DISABLED'],
    ['A_LATER_ONE', 'UNKNOWN'],
  ])('says %s as %s', async (halyardReason, reason) => {
    const { web } = await staged({ theme: answer('#00f', halyardReason, 'blue') });
    expect(web.getStringDetails('theme', '')).toEqual({
      flagKey: 'theme',
      value: '#00f',
      variant: 'blue',
      reason,
      flagMetadata: { halyardReason, revision: 7 },
    });
  });

  it.each<[string, Answer | undefined, string]>([
    ['there is no such flag', undefined, 'FLAG_NOT_FOUND'],
    ['the flag that the client follows does not exist', answer(null, 'FLAG_NOT_FOUND', null), 'FLAG_NOT_FOUND'],
    ['the stored variants are not valid', answer(null, 'CONDITIONS_NOT_MET', null), 'PARSE_ERROR'],
    ['the flag has texts', answer('text'), 'TYPE_MISMATCH'],
  ])('gives the default of the code if %s', async (_name, given, errorCode) => {
    const { web } = await staged(given === undefined ? {} : { theme: given });
    expect(web.getBooleanDetails('theme', true)).toMatchObject({ value: true, reason: 'ERROR', errorCode });
  });

  it('waits for the first answers, and is in error if none come in time', async () => {
    const client = new StagedClient();
    const provider = new HalyardWebProvider(client, { timeout: 10 });
    await expect(OpenFeature.setProviderAndWait(provider)).rejects.toThrow(
      'No answers have come yet. The client is connecting.',
    );
    const web = OpenFeature.getClient();
    expect(web.providerStatus).toBe('ERROR');
    expect(web.getBooleanDetails('a', true)).toMatchObject({ value: true, errorCode: 'PROVIDER_NOT_READY' });
    client.show({ a: answer(false) });
    expect(web.providerStatus).toBe('READY');
    expect(web.getBooleanValue('a', true)).toBe(false);
  });

  it('is stale with answers of an earlier visit, until updates come', async () => {
    const client = new StagedClient();
    client.keep({ a: answer(true) });
    await OpenFeature.setProviderAndWait(new HalyardWebProvider(client));
    const web = OpenFeature.getClient();
    await until(() => web.providerStatus === 'STALE', 'it is stale');
    expect(web.getBooleanValue('a', false)).toBe(true);
    client.become('live');
    expect(web.providerStatus).toBe('READY');
    client.become('stale');
    expect(web.providerStatus).toBe('STALE');
  });

  it('is stale after a change of the context during an outage, until updates come', async () => {
    const client = new StagedClient();
    client.subject = 'ann';
    client.show({ a: answer(true) });
    const provider = new HalyardWebProvider(client, { timeout: 10 });
    await OpenFeature.setProviderAndWait(provider, { targetingKey: 'ann' });
    const web = OpenFeature.getClient();
    client.become('stale');
    expect(web.providerStatus).toBe('STALE');
    const told: string[] = [];
    for (const event of [ProviderEvents.Ready, ProviderEvents.Stale]) {
      web.addHandler(event, () => void told.push(event));
    }
    told.length = 0;
    client.identify = async () => {
      client.become('connecting');
      await new Promise(() => {});
    };
    await OpenFeature.setContext({ targetingKey: 'ann', plan: 'pro' });
    await until(() => web.providerStatus === 'STALE', 'it is stale again');
    expect(told).toEqual([ProviderEvents.Stale]);
    client.become('live');
    expect([web.providerStatus, ...told]).toEqual(['READY', ProviderEvents.Stale, ProviderEvents.Ready]);
  });

  it('counts the answers that the user of the context had at the last visit', async () => {
    const client = new StagedClient();
    client.show({ a: answer(true) });
    client.identify = async () => {
      client.keep({ a: answer(false) });
      await new Promise(() => {});
    };
    await OpenFeature.setProviderAndWait(new HalyardWebProvider(client), { targetingKey: 'ann' });
    const web = OpenFeature.getClient();
    expect(web.getBooleanValue('a', true)).toBe(false);
    await until(() => web.providerStatus === 'STALE', 'it is stale');
  });

  it('waits no more once it is closed', async () => {
    vi.useFakeTimers();
    onCleanup(() => vi.useRealTimers());
    const client = new StagedClient();
    client.identify = () => new Promise(() => {});
    const provider = new HalyardWebProvider(client);
    const waits = [provider.initialize(), provider.onContextChange({}, {})].map(wait => wait.catch(String));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(2);
    await provider.onClose();
    expect(await waits[0]).toMatch(/No answers/);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is in error once the client is closed, and leaves the client open itself', async () => {
    const { client, web } = await staged({ a: answer(true) });
    client.close();
    expect(web.providerStatus).toBe('ERROR');
    const other = await staged();
    await OpenFeature.clearProviders();
    expect(other.client.isClosed).toBe(false);
    expect(other.client.listeners.size + other.client.statusListeners.size).toBe(0);
  });

  it('identifies the user of the context, and asks nothing if the client has that user', async () => {
    const { client } = await staged();
    await OpenFeature.setContext({ targetingKey: 'ann', plan: 'pro' });
    await OpenFeature.setContext({});
    expect(client.identified).toEqual([{ subject: 'ann' }, { subject: null }]);
    const known = new StagedClient();
    known.subject = 'ann';
    known.show({});
    await OpenFeature.setProviderAndWait('known', new HalyardWebProvider(known), { targetingKey: 'ann' });
    expect(known.identified).toEqual([]);
    await OpenFeature.setProviderAndWait('other', new HalyardWebProvider(known), { targetingKey: 'bob' });
    expect(known.identified).toEqual([{ subject: 'bob' }]);
  });

  it('answers the hooks of the React SDK', async () => {
    const { web } = await staged({ checkout: answer(true), theme: answer('#00f') });
    const Page = () => `${useBooleanFlagValue('checkout', false)} ${useStringFlagValue('theme', '')}`;
    expect(renderToString(createElement(OpenFeatureProvider, { client: web }, createElement(Page)))).toBe('true #00f');
  });

  it('tells which flags changed, and ignores tracked events', async () => {
    const { client, web } = await staged({ a: answer(true) });
    const changed: unknown[] = [];
    web.addHandler(ProviderEvents.ConfigurationChanged, details => void changed.push(details?.flagsChanged));
    client.show({ a: answer(false), b: answer(1) });
    expect(changed).toEqual([['a', 'b']]);
    expect(() => web.track('bought', { value: 1 })).not.toThrow();
  });

  it('takes over flag by flag beside another provider', async () => {
    const client = new StagedClient();
    client.show({ moved: answer(true) });
    const old = new InMemoryProvider({
      moved: { variants: { off: false }, defaultVariant: 'off', disabled: false },
      waiting: { variants: { on: true }, defaultVariant: 'on', disabled: false },
    });
    const both = new MultiProvider(
      [{ provider: new HalyardWebProvider(client) }, { provider: old }],
      new FirstMatchStrategy(),
    );
    await OpenFeature.setProviderAndWait(both);
    const web = OpenFeature.getClient();
    expect(web.getBooleanValue('moved', false)).toBe(true);
    expect(web.getBooleanValue('waiting', false)).toBe(true);
    expect(web.getBooleanValue('nowhere', false)).toBe(false);
  });
});

describe('the web provider at a running server', () => {
  const secret = 'a secret of at least thirty-two bytes';

  function connect(server: TestServer, user: { id: string }) {
    const client = createClient({
      url: server.url,
      subject: user.id,
      storage: null,
      token: async () => (await server.token('user', { userId: user.id })) ?? null,
    });
    onCleanup(() => client.close());
    return client;
  }

  it('follows flips, users and a restart', { timeout: 60_000 }, async () => {
    const first = await startTestServer({ AUTH_JWT_SECRET: secret });
    onCleanup(() => first.close());
    await fill(first);
    const user = { id: ann };
    await OpenFeature.setProviderAndWait(new HalyardWebProvider(connect(first, user)), { targetingKey: ann });
    const web = OpenFeature.getClient();
    expect(web.getStringDetails('theme', '')).toMatchObject({ value: '#00f', variant: 'blue', reason: 'STATIC' });
    expect(web.getNumberValue('size', 1)).toBe(10);
    expect(web.getObjectValue('limits', {})).toEqual({ perMinute: 5 });
    expect(web.getBooleanDetails('only_bob', true)).toMatchObject({ value: false, variant: 'off', reason: 'DEFAULT' });
    expect(web.getBooleanDetails('nope', true)).toMatchObject({ value: true, errorCode: 'FLAG_NOT_FOUND' });
    expect(web.getNumberDetails('theme', 3)).toMatchObject({ value: 3, errorCode: 'TYPE_MISMATCH' });

    const changed: unknown[] = [];
    web.addHandler(ProviderEvents.ConfigurationChanged, details => void changed.push(details?.flagsChanged));
    await first.service.management.updateFlag({ key: 'theme', enabled: false }, null);
    await until(() => changed.length > 0, 'the change is told');
    expect(changed).toEqual([['theme']]);
    expect(web.getStringDetails('theme', '')).toMatchObject({ value: '#888', reason: 'DISABLED' });

    user.id = bob;
    await OpenFeature.setContext({ targetingKey: bob });
    expect(web.getBooleanDetails('only_bob', false)).toMatchObject({ value: true, reason: 'TARGETING_MATCH' });

    // Opened before, because the longer the server is away, the longer the client waits between attempts.
    const database = await openPGlite();
    const isStale = new Promise(resolve => web.addHandler(ProviderEvents.Stale, resolve));
    await first.close();
    await isStale;
    expect(web.getBooleanValue('only_bob', false)).toBe(true);
    const second = await startTestServer({ AUTH_JWT_SECRET: secret, PORT: String(first.port) }, { database });
    onCleanup(() => second.close());
    await fill(second);
    await until(() => web.providerStatus === 'READY', 'it is ready', 40_000);
    await until(() => web.getBooleanValue('only_bob', false), 'the answers are there');
  });

  async function fill({ service }: TestServer): Promise<void> {
    const variants = [
      { key: 'grey', value: '#888', weight: 0 },
      { key: 'blue', value: '#00f', weight: 1 },
    ];
    const one = (value: Answer['value']) => ({ variants: [{ key: 'one', value, weight: 1 }], offVariant: 'one' });
    const { management } = service;
    await management.createFlag(
      { key: 'theme', name: 'Theme', enabled: true, type: 'STRING', variants, offVariant: 'grey' },
      null,
    );
    await management.createFlag({ key: 'size', name: 'Size', enabled: true, type: 'NUMBER', ...one(10) }, null);
    const limits = one({ perMinute: 5 });
    await management.createFlag({ key: 'limits', name: 'Limits', enabled: true, type: 'OBJECT', ...limits }, null);
    const conditions = { attributes: { $id: bob } };
    await management.createFlag({ key: 'only_bob', name: 'Only Bob', enabled: true, conditions }, null);
  }
});
