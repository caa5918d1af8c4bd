import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createFeatures,
  FeatureDisabledError,
  type Features,
  type FeatureUser,
  MemoryBackend,
  requireFeature,
  UnavailableError,
} from '../../src/index.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';
import { compileClass } from './forms/compile.js';

const ann = { id: '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a' };
const bob = { id: '00000000-0000-4000-8000-000000000001' };

let backend: ControlledBackend;
let features: Features;

beforeEach(async () => {
  const memory = new MemoryBackend();
  memory.seed({
    flags: [{ key: 'on', enabled: true }, { key: 'off' }, { key: 'for_ann' }],
    overrides: [{ userId: ann.id, flagKey: 'for_ann', enabled: true }],
  });
  backend = controlled(memory);
  features = await createFeatures({ backend });
});

afterEach(() => features.close());

describe('around a function', () => {
  it('hands on everything it is called with, and its `this`', async () => {
    const handler = {
      greeting: 'hello',
      greet: requireFeature('on', { features })(function (this: { greeting: string }, name: string, times: number) {
        return { said: `${this.greeting} ${name}`, times };
      } as (name: string, times: number) => { said: string; times: number }),
    };
    expect(await handler.greet('ann', 2)).toEqual({ said: 'hello ann', times: 2 });
  });

  it('asks anew each time', async () => {
    const gated = requireFeature('off', { features })(() => new Response('in'));
    expect((await gated()).status).toBe(404);
    await features.updateFlag({ key: 'off', enabled: true });
    expect((await gated()).status).toBe(200);
  });

  it('encodes letters of a redirect that cannot stand in a header', async () => {
    const redirectUrl = 'https://[::1]/warteschlange für%20alle?q=新\r\nset-cookie: a=b';
    const answer = await requireFeature('off', { features, redirectUrl })(() => new Response('in'))();
    const location = 'https://[::1]/warteschlange%20f%C3%BCr%20alle?q=%E6%96%B0%0D%0Aset-cookie:%20a=b';
    expect([...answer.headers]).toEqual([
      ['cache-control', 'no-store'],
      ['location', location],
    ]);
  });
});

describe('as middleware with an answer', () => {
  it('passes on the answer of the handlers behind it', async () => {
    const gate = requireFeature('on', { features });
    expect(await gate({}, async () => new Response('behind')).then(answer => answer.text())).toBe('behind');
    expect(await gate({}, async () => {})).toBeUndefined();
  });
});

describe('as middleware of Node', () => {
  it('answers HEAD with the headers alone', async () => {
    await using server = await serve((request, response) =>
      requireFeature('off', { features })(request, response, fail),
    );
    const answer = await fetch(server.url, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      404,
      'application/json',
      '',
    ]);
  });

  it('leaves the connection usable when it answers before it has read the request', async () => {
    await using server = await serve((request, response) =>
      requireFeature('off', { features })(request, response, fail),
    );
    for (let round = 0; round < 3; round++) {
      const answer = await fetch(server.url, { method: 'POST', body: 'x'.repeat(1_000_000) });
      expect([answer.status, await answer.json()]).toEqual([404, { message: 'Not found.' }]);
    }
  });

  it('calls next once, and with nothing', async () => {
    const next = vi.fn();
    await using server = await serve((request, response) => {
      requireFeature('on', { features })(request, response, (...args) => {
        next(...args);
        response.end('in');
      });
    });
    await fetch(server.url);
    expect(next.mock.calls).toEqual([[]]);
  });

  it('leaves an answer alone that was given meanwhile', async () => {
    const next = vi.fn();
    const release = backend.hold('targeting');
    const { promise: ended, resolve } = deferred();
    await using server = await serve((request, response) => {
      requireFeature('for_ann', { features, user: (_subject: unknown) => bob })(request, response, next);
      const setHeader = vi.spyOn(response, 'setHeader');
      response.end('too late');
      release();
      // Those who come later are asked later, so that the gate is done.
      void features
        .for(bob)
        .isEnabled('for_ann')
        .then(async () => resolve(setHeader.mock.calls.length));
    });
    const answer = await fetch(server.url);
    expect([answer.status, await answer.text()]).toEqual([200, 'too late']);
    expect([await ended, next.mock.calls]).toEqual([0, []]);
  });

  it('leaves it to the program to end an answer that was begun meanwhile', async () => {
    const release = backend.hold('targeting');
    await using server = await serve((request, response) => {
      requireFeature('for_ann', { features, user: (_subject: unknown) => bob })(request, response, error => {
        response.end(String((error as FeatureDisabledError).code));
      });
      response.flushHeaders();
      release();
    });
    const answer = await fetch(server.url);
    expect([answer.status, await answer.text()]).toEqual([200, 'FEATURE_DISABLED']);
  });
});

describe.each(['standard', 'legacy'] as const)('as a %s decorator', decorators => {
  const compile = <Class>(
    source: string,
    // biome-ignore lint/suspicious/noExplicitAny: the source that is compiled has no types.
    options: { readonly key: string; readonly user?: (...args: any[]) => FeatureUser },
  ) => {
    const gate = requireFeature(options.key, { features, ...options });
    return compileClass(source, decorators)({ gate }) as Class;
  };

  it('keeps `this`, the arguments and the result, of instances and classes, with promises or without', async () => {
    const Shop = compile<(new () => { name: string; sync: Call; async: Call }) & { shared: Call }>(
      `class Shop {
        name = 'shop';
        static title = 'all shops';
        @gate sync(...args) { return [this.name, ...args]; }
        @gate async async(...args) { return [this.name, ...args]; }
        @gate static shared(...args) { return [this.title, ...args]; }
      }`,
      { key: 'on' },
    );
    const shop = new Shop();
    expect(await shop.sync(1, 2)).toEqual(['shop', 1, 2]);
    expect(await shop.async(1, 2)).toEqual(['shop', 1, 2]);
    expect(await Shop.shared(1, 2)).toEqual(['all shops', 1, 2]);
    class Branch extends Shop {
      override name = 'branch';
    }
    expect(await new Branch().sync()).toEqual(['branch']);
  });

  it('tells `user` all arguments', async () => {
    const user = (_id: number, viewer: FeatureUser) => viewer;
    const Shop = compile<new () => { show: Call }>('class Shop { @gate show(id) { return id; } }', {
      key: 'for_ann',
      user,
    });
    expect(await new Shop().show(7, ann)).toBe(7);
    await expect(new Shop().show(7, bob)).rejects.toThrow(FeatureDisabledError);
  });

  it('throws the answer of the gate, with the reason why it is closed', async () => {
    const outage = new UnavailableError();
    backend.fail('targeting', outage);
    const gate = requireFeature('on', { features, user: (_subject: unknown) => bob, redirectUrl: '/soon' });
    const Shop = compileClass('class Shop { @gate show() {} }', decorators)({ gate }) as new () => { show: Call };
    const error = await new Shop().show().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FeatureDisabledError);
    expect(error).toMatchObject({ key: 'on', status: 302, redirectUrl: '/soon', cause: outage });
  });

  it.each(['class Shop { @gate name = 1 }', 'class Shop { @gate get name() { return 1; } }'])(
    'refuses what is no method: %s',
    source => {
      expect(() => compile(source, { key: 'on' })).toThrow(TypeError);
    },
  );
});

it('gates private methods', async () => {
  const source = 'class Shop { @gate async #secret() { return this; } show() { return this.#secret(); } }';
  const create = (key: string) =>
    compileClass(source, 'standard')({ gate: requireFeature(key, { features }) }) as new () => { show: Call };
  const shop = new (create('on'))();
  expect(await shop.show()).toBe(shop);
  await expect(new (create('off'))().show()).rejects.toThrow(FeatureDisabledError);
});

type Call = (...args: unknown[]) => Promise<unknown>;

function fail() {
  throw new Error('The gate is open.');
}

function deferred() {
  let resolve = (_value: unknown) => {};
  const promise = new Promise<unknown>(settle => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
