import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  createFeatures,
  FeatureDisabledError,
  type Features,
  type FeaturesUpdate,
  type FeatureValue,
  MemoryBackend,
  requireFeature,
  type ValueType,
} from '../../src/index.js';
import { createTestFeatures, pinFeatures, restoreFeatures, withFeatures } from '../../src/testing.js';
import { createDatabase } from '../support/postgres.js';
import { settle, until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

let features: Features;

/** Features in which `on` is on, `off` is off, and `mine` is on for Ann by an override. */
const seed = {
  flags: [{ key: 'on', enabled: true }, { key: 'off' }, { key: 'mine' }],
  overrides: [{ userId: ann, flagKey: 'mine', enabled: true }],
};

const theme = {
  key: 'theme',
  type: 'STRING',
  variants: [
    { key: 'grey', value: '#888', weight: 0 },
    { key: 'blue', value: '#00f', weight: 1 },
    { key: 'red', value: '#f00', weight: 9 },
  ],
  offVariant: 'grey',
} as const;

beforeAll(async () => {
  const backend = new MemoryBackend();
  backend.seed(seed);
  features = await createFeatures({ backend });
});

afterEach(() => restoreFeatures(features));

afterAll(() => features.close());

const untouched = { mine: false, off: false, on: true };

describe('a pin', () => {
  it('is the answer to every way of asking, whatever is stored, also for a flag that does not exist', async () => {
    pinFeatures(features, { on: false, off: true, mine: false, new: true });
    for (const asking of [features, features.for(null), features.for({ id: ann }), features.for({ id: 'anybody' })]) {
      expect(await asking.getAll()).toEqual({ mine: false, new: true, off: true, on: false });
      expect(await asking.isEnabled('new', false)).toBe(true);
      expect(await asking.evaluate('mine', true)).toEqual({
        key: 'mine',
        enabled: false,
        reason: 'OVERRIDE',
        type: 'BOOLEAN',
        variant: 'off',
        value: false,
        rule: null,
      });
      expect(await asking.values()).toEqual({ mine: false, new: true, off: true, on: false });
      await expect(asking.require('off')).resolves.toBeUndefined();
      await expect(asking.require('on')).rejects.toThrow(FeatureDisabledError);
    }
    const gated = requireFeature('on', { features })((_request: Request) => new Response('shown'));
    expect((await gated(new Request('https://shop.example/'))).status).toBe(404);
  });

  it('writes nothing, and holds while the flags beneath change', async () => {
    const backend = new MemoryBackend();
    backend.seed(seed);
    await using own = await createFeatures({ backend });
    const restore = pinFeatures(own, { on: false, off: true });
    expect(own.status.revision).toBe(4);
    expect((await own.listFlags()).map(({ key, enabled }) => [key, enabled])).toEqual([
      ['mine', false],
      ['off', false],
      ['on', true],
    ]);
    await own.updateFlag({ key: 'on', percentage: 50 });
    await own.deleteFlag({ key: 'off' });
    expect(await own.getAll()).toEqual({ mine: false, off: true, on: false });
    backend.clear();
    expect(await own.getAll()).toEqual({ off: true, on: false });
    restore();
    expect(await own.getAll()).toEqual({});
  });

  it('is pushed to watchers when it comes and when it goes', async () => {
    const seen: FeaturesUpdate[] = [];
    const stop = features.watch({ id: ann }, update => void seen.push(update), {
      onError: error => expect.fail(`${error}`),
    });
    onTestFinished(stop);
    await until(() => seen.length === 1, 'all is told');
    const restore = pinFeatures(features, { on: true, off: true, new: false });
    await until(() => seen.length === 2, 'the pins are told');
    restore();
    await until(() => seen.length === 3, 'the end of the pins is told');
    const told = seen.map(({ features, removed }) => [
      ...features.map(f => `${f.key} ${f.enabled} ${f.reason}`),
      removed,
    ]);
    expect(told).toEqual([
      ['mine true OVERRIDE', 'off false DISABLED', 'on true ENABLED', []],
      ['new false OVERRIDE', 'off true OVERRIDE', 'on true OVERRIDE', []],
      ['off false DISABLED', 'on true ENABLED', ['new']],
    ]);
  });

  it('lies over earlier ones, and each can be taken away in any order, once', async () => {
    const first = pinFeatures(features, { on: false, off: true });
    const second = pinFeatures(features, { on: true });
    const third = pinFeatures(features, { on: false });
    expect(await features.getAll()).toEqual({ mine: false, off: true, on: false });
    second();
    expect(await features.getAll()).toEqual({ mine: false, off: true, on: false });
    third();
    third();
    expect(await features.getAll()).toEqual({ mine: false, off: true, on: false });
    pinFeatures(features, { on: true });
    first();
    expect(await features.getAll()).toEqual(untouched);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['with its function', async () => pinFeatures(features, { on: false })()],
    ['with all others', async () => [pinFeatures(features, { on: false }), restoreFeatures(features)]],
    ['at the end of a block', async () => pinFeatures(features, { on: false })[Symbol.dispose]()],
    ['when a function has returned', () => withFeatures(features, { on: false }, () => features.isEnabled('on'))],
    [
      'when a function has thrown',
      async () => {
        const thrown = withFeatures(features, { on: false }, () => {
          throw new Error('mine');
        });
        await expect(thrown).rejects.toThrow('mine');
      },
    ],
  ])('ends %s', async (_what, pin) => {
    await pin();
    expect(await features.getAll()).toEqual(untouched);
  });

  it('holds until the promise of a function settles, which is handed on', async () => {
    const answer = await withFeatures(features, { on: false, off: true }, async () => {
      await settle();
      return features.getAll();
    });
    expect(answer).toEqual({ mine: false, off: true, on: false });
  });

  it('of one test does not disturb another one with features of its own', async () => {
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await using own = await createTestFeatures({ shared: i % 2 === 0 });
        using _pins = pinFeatures(own, { shared: i % 3 === 0 });
        await settle();
        expect(await own.isEnabled('shared')).toBe(i % 3 === 0);
      }),
    );
    expect(await features.getAll()).toEqual(untouched);
  });

  it.each<[FeatureValue, ValueType]>([
    ['#00f', 'STRING'],
    ['', 'STRING'],
    [0, 'NUMBER'],
    [{ perMinute: [1, null] }, 'OBJECT'],
    [['a'], 'OBJECT'],
  ])('is the value %j, which turns the flag on', async (value, type) => {
    await using own = await createTestFeatures({ stored: '#fff' }, { seed });
    using _pins = pinFeatures(own, { stored: value, on: value, off: value, mine: value, new: value });
    for (const asking of [own, own.for({ id: ann })]) {
      for (const key of ['stored', 'on', 'off', 'mine', 'new']) {
        const pinned = { key, enabled: true, reason: 'OVERRIDE', type, variant: 'pinned', value, rule: null };
        expect(await asking.evaluate(key)).toEqual(pinned);
        expect(await asking.value(key, value)).toEqual(value);
        await expect(asking.require(key)).resolves.toBeUndefined();
      }
    }
    // The caller's own object may change.
    if (typeof value === 'object') Object.assign(value, { later: 1 });
    expect(await own.value('new', value)).not.toHaveProperty('later');
  });

  it('of true or false on a flag of another type gives a variant of the flag', async () => {
    await using own = await createTestFeatures({}, { seed: { flags: [theme] } });
    const pinned = async (state: boolean) =>
      withFeatures(own, { theme: state }, () => own.for({ id: ann }).evaluate('theme'));
    const answer = { key: 'theme', reason: 'OVERRIDE', type: 'STRING', rule: null };
    expect(await pinned(true)).toEqual({ ...answer, enabled: true, variant: 'blue', value: '#00f' });
    expect(await pinned(false)).toEqual({ ...answer, enabled: false, variant: 'grey', value: '#888' });
    using _pins = pinFeatures(own, { theme: true });
    await own.updateFlag({
      key: 'theme',
      variants: theme.variants.map(each => ({ ...each, value: `${each.value}f` })),
    });
    expect(await own.value('theme', '')).toBe('#00ff');
  });

  it.each<[unknown, string]>([
    [null, 'null'],
    [undefined, 'undefined'],
    [() => true, 'a function'],
    [new Date(0), 'an object'],
    [Number.NaN, 'the value: Expected a number'],
    [{ at: [new Date(0)] }, 'the value.at.0: Expected a JSON value'],
  ])('is nothing that no flag can have as its value: %s', async (value, found) => {
    expect(() => pinFeatures(features, { on: value } as never)).toThrow(TypeError);
    expect(() => pinFeatures(features, { on: value } as never)).toThrow(`"on" can be true, false, a text, a number`);
    expect(() => pinFeatures(features, { on: value } as never)).toThrow(`found ${found}`);
    await expect(createTestFeatures({ on: value } as never)).rejects.toThrow(TypeError);
    expect(await features.getAll()).toEqual(untouched);
    // @ts-expect-error: null is no value.
    expect(() => pinFeatures(features, { on: null })).toThrow(TypeError);
  });

  it('works over PostgreSQL, whose other programs do not notice', async () => {
    const database = await createDatabase();
    try {
      await using here = await createFeatures({ databaseUrl: database.url });
      await using there = await createFeatures({ databaseUrl: database.url });
      await there.createFlag({ key: 'on', name: 'On', enabled: true });
      await until(() => here.isEnabled('on'), 'it is on here');
      using _pins = pinFeatures(here, { on: false, new: true });
      expect(await here.for({ id: ann }).getAll()).toEqual({ new: true, on: false });
      expect(await there.for({ id: ann }).getAll()).toEqual({ on: true });
    } finally {
      await database.drop();
    }
  });
});

describe('features of a test', () => {
  it('are on or off as told, with whatever is seeded', async () => {
    await using own = await createTestFeatures(
      { new_dashboard: true, new_checkout: false },
      {
        seed: {
          flags: [{ key: 'beta', enabled: true, conditions: { groups: ['testers'] } }],
          groups: { testers: [ann] },
          overrides: [{ userId: ann, flagKey: 'new_checkout', enabled: true }],
        },
        user: (name: string) => ({ id: name }),
      },
    );
    expect(await own.getAll()).toEqual({ beta: false, new_checkout: false, new_dashboard: true });
    expect(await own.for(ann).getAll()).toEqual({ beta: true, new_checkout: true, new_dashboard: true });
    await own.updateFlag({ key: 'new_dashboard', enabled: false });
    expect(await own.isEnabled('new_dashboard')).toBe(false);
  });

  it('have values as told, which can be changed like any other', async () => {
    await using own = await createTestFeatures({ theme: '#00f', page_size: 20, limits: { perMinute: 5 }, steps: [1] });
    expect(await own.values()).toEqual({ limits: { perMinute: 5 }, page_size: 20, steps: [1], theme: '#00f' });
    expect((await own.listFlags()).map(flag => [flag.key, flag.type, flag.enabled, flag.offVariant])).toEqual([
      ['limits', 'OBJECT', true, 'pinned'],
      ['page_size', 'NUMBER', true, 'pinned'],
      ['steps', 'OBJECT', true, 'pinned'],
      ['theme', 'STRING', true, 'pinned'],
    ]);
    await own.updateFlag({ key: 'theme', variants: [{ key: 'pinned', value: '#f00', weight: 1 }] });
    expect(await own.value('theme', '')).toBe('#f00');
  });

  it('are none unless told', async () => {
    await using own = await createTestFeatures();
    expect(await own.getAll()).toEqual({});
  });

  it('refuse a key that no flag can have', async () => {
    await expect(createTestFeatures({ 'no spaces': true })).rejects.toThrow('flags');
  });
});

describe('the same calls, built, in a program of their own', () => {
  const dist = (name: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist', name)).href);
  const imports = `import assert from 'node:assert/strict';
    import { createTestFeatures, pinFeatures, restoreFeatures, withFeatures } from ${dist('testing.js')};`;

  const run = async (code: string, args: readonly string[]) => {
    const directory = await mkdtemp(join(tmpdir(), 'halyard-pins-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, 'pins.test.mjs');
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { module: 99, target: ts.ScriptTarget.ES2022 },
    });
    await writeFile(file, outputText);
    // A test runner that runs another one would take it for a part of itself.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    return (await promisify(execFile)(process.execPath, [...args, file], { cwd: directory, env })).stdout;
  };

  it('restore after each test of node:test', async () => {
    const output = await run(
      `${imports}
      import { after, afterEach, describe, it } from 'node:test';
      const features = await createTestFeatures({ on: true });
      after(() => features.close());
      const isAsBefore = async () => assert.deepEqual(await features.getAll(), { on: true });

      it('with t.after', async t => {
        t.after(pinFeatures(features, { on: false }));
        assert.equal(await features.isEnabled('on'), false);
      });
      it('was restored by t.after', isAsBefore);
      it('with using', async () => {
        using pins = pinFeatures(features, { on: false });
        assert.equal(await features.isEnabled('on'), false);
      });
      it('was restored by using', isAsBefore);
      describe('with afterEach', () => {
        afterEach(() => restoreFeatures(features));
        it('pins', async () => {
          pinFeatures(features, { on: false, other: true });
          assert.deepEqual(await features.getAll(), { on: false, other: true });
        });
        it('was restored by afterEach', isAsBefore);
      });
      it('counts for the user that asks', () =>
        withFeatures(features, { on: false }, async () => assert.equal(await features.isEnabled('on'), false)));
      it('was restored by the end of the function', isAsBefore);`,
      ['--test', '--test-reporter=tap'],
    );
    expect(output).toMatch(/^# pass 8$/m);
    expect(output).toMatch(/^# fail 0$/m);
  });

  it('restore with no test runner at all', async () => {
    const output = await run(
      `${imports}
      const features = await createTestFeatures({ on: true });
      const restore = pinFeatures(features, { on: false });
      console.log(await features.isEnabled('on'));
      restore();
      console.log(await features.isEnabled('on'));
      console.log(await withFeatures(features, { on: false }, () => features.isEnabled('on')));
      console.log(await features.isEnabled('on'));
      await features.close();`,
      [],
    );
    expect(output).toBe('false\ntrue\nfalse\ntrue\n');
  });
});
