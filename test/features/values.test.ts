import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import {
  type CreateFeaturesOptions,
  createFeatures,
  type Features,
  type FeaturesUpdate,
  type Json,
  MemoryBackend,
  requireFeature,
} from '../../src/index.js';
import { until } from '../support/wait.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bob = 'b0b8c1e0-7a54-4d3c-9b1a-0e5f6d7c8b9a';

const seed = {
  flags: [
    { key: 'new_dashboard', enabled: true },
    {
      key: 'theme',
      enabled: true,
      type: 'STRING',
      variants: [
        { key: 'grey', value: '#888', weight: 0 },
        { key: 'blue', value: '#00f', weight: 1 },
      ],
      offVariant: 'grey',
      rules: [
        {
          id: 'staff',
          when: { groups: ['staff'] },
          percentage: 100,
          on: true,
          serve: [{ variant: 'grey', weight: 1 }],
        },
      ],
    },
    {
      key: 'page_size',
      type: 'NUMBER',
      variants: [
        { key: 'small', value: 0, weight: 0 },
        { key: 'large', value: 50, weight: 1 },
      ],
      offVariant: 'small',
    },
    {
      key: 'limits',
      enabled: true,
      type: 'OBJECT',
      variants: [
        { key: 'usual', value: { perMinute: 5, nested: { burst: [1] } }, weight: 1 },
        { key: 'steps', value: [1, 2, 3], weight: 0 },
      ],
      offVariant: 'steps',
    },
  ],
  groups: { staff: [bob] },
} as const;

const warnings: (readonly [details: object, message: string])[] = [];
const log = { ...silentLog, warn: (details: object, message: string) => void warnings.push([details, message]) };

let opened: Features[];
beforeEach(() => {
  opened = [];
  warnings.length = 0;
});
afterEach(() => Promise.all(opened.map(features => features.close())));

async function start(options: Partial<CreateFeaturesOptions> = { log }) {
  const backend = new MemoryBackend();
  backend.seed(seed);
  const features = await createFeatures({ backend, ...options });
  opened.push(features);
  return { backend, features };
}

describe('the value of a flag', () => {
  it("is that of the user's variant, of any type", async () => {
    const { features } = await start();
    const user = features.for({ id: ann });
    expect(await user.value('new_dashboard', false)).toBe(true);
    expect(await user.value('theme', '#fff')).toBe('#00f');
    expect(await features.for({ id: bob }).value('theme', '#fff')).toBe('#888');
    expect(await user.value('limits', { perMinute: 1 })).toEqual({ perMinute: 5, nested: { burst: [1] } });
    expect(await features.value('theme', '#fff')).toBe('#00f');
    expect(warnings).toEqual([]);
  });

  it('is that of the off variant where the flag is off, and never the fallback', async () => {
    const { features } = await start();
    expect(await features.value('page_size', 20)).toBe(0);
    await features.updateFlag({ key: 'theme', enabled: false });
    expect(await features.value('theme', '#fff')).toBe('#888');
    await features.updateFlag({ key: 'new_dashboard', enabled: false });
    expect(await features.value('new_dashboard', true)).toBe(false);
    await features.updateFlag({ key: 'limits', enabled: false });
    expect(await features.value('limits', [0])).toEqual([1, 2, 3]);
  });

  it.each([true, 'a', 7, { a: 1 }, ['a']])(
    'is the fallback %j where there is no such flag, as it is',
    async fallback => {
      const { features } = await start({ log, defaultEnabled: true });
      expect(await features.for({ id: ann }).value('nope', fallback)).toBe(fallback);
      expect(warnings).toEqual([]);
    },
  );

  it('is the fallback where the stored variants are not valid, which is logged as a fault of the flag', async () => {
    const backend = new MemoryBackend();
    backend.seed(seed);
    const definitions = backend.definitions.bind(backend);
    vi.spyOn(backend, 'definitions').mockImplementation(async () => {
      const all = await definitions();
      return {
        ...all,
        flags: all.flags.map(flag => (flag.key === 'theme' ? { ...flag, variants: 'none' as never } : flag)),
      };
    });
    const features = await createFeatures({ backend, log });
    opened.push(features);
    expect(await features.value('theme', '#fff')).toBe('#fff');
    expect(await features.values()).toMatchObject({ theme: null, new_dashboard: true });
    expect(warnings.filter(([, message]) => message.includes('expects'))).toEqual([]);
  });

  it('of another JSON type than the fallback is the fallback, and is logged once for each flag', async () => {
    const { features } = await start();
    const kinds: [fallback: boolean | string | number | object, name: string][] = [
      [true, 'a boolean'],
      ['', 'text'],
      [1, 'a number'],
      [{}, 'an object'],
      [[], 'a list'],
    ];
    const found = { new_dashboard: 'a boolean', theme: 'text', page_size: 'a number', limits: 'an object' };
    for (const [key, own] of Object.entries(found)) {
      for (const [fallback, name] of kinds) {
        if (name === own) continue;
        for (const asker of [features, features.for({ id: ann }), features.for(null)]) {
          expect(await asker.value(key, fallback)).toBe(fallback);
        }
      }
    }
    expect(warnings).toEqual(
      Object.entries(found).map(([flag, own]) => {
        const [, expected] = kinds.find(([, name]) => name !== own) as (typeof kinds)[number];
        const message = `The value of the flag "${flag}" is ${own}, but the program expects ${expected}. It gets its fallback.`;
        return [{ flag, expected, found: own }, message];
      }),
    );
    await features.updateFlag({ key: 'limits', enabled: false });
    expect(await features.value('limits', { perMinute: 1 })).toEqual({ perMinute: 1 });
    expect(warnings).toHaveLength(4);
  });

  it('of another type is a warning of the process in a program without a log', async () => {
    const { features } = await start({});
    const told = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    for (let call = 0; call < 3; call += 1) await features.value('theme', 1);
    expect(told.mock.calls).toEqual([
      ['The value of the flag "theme" is text, but the program expects a number. It gets its fallback.'],
    ]);
    told.mockRestore();
  });

  it.each([
    [null, 'null'],
    [undefined, 'undefined'],
    [() => 1, 'a function'],
    [1n, 'a bigint'],
    [Number.NaN, 'a number'],
    [new Date(0), 'an object'],
    [new Map(), 'an object'],
  ])('needs a fallback that a flag can have as its value: %s', async (fallback, name) => {
    const { features } = await start();
    const message = `The fallback for the value of "theme" is ${name} that no flag can have; expected true, false, a text, a finite number, a plain object or a list.`;
    await expect(features.value('theme', fallback as never)).rejects.toThrow(new TypeError(message));
  });

  it('has the type of the fallback in a program that does not know its flags', async () => {
    const { features } = await start();
    interface Limits {
      readonly perMinute: number;
    }
    const limits: Limits = { perMinute: 1 };
    expectTypeOf(await features.value('theme', '#fff')).toEqualTypeOf<string>();
    expectTypeOf(await features.value('theme', '#fff' as '#fff' | '#000')).toEqualTypeOf<string>();
    expectTypeOf(await features.value('page_size', 20)).toEqualTypeOf<number>();
    expectTypeOf(await features.value('new_dashboard', true)).toEqualTypeOf<boolean>();
    expectTypeOf(await features.value('limits', limits)).toEqualTypeOf<Limits>();
    expectTypeOf(await features.value('limits', { perMinute: 1 })).toEqualTypeOf<{ readonly perMinute: number }>();
    expectTypeOf(await features.value('limits', [1])).toEqualTypeOf<readonly number[]>();
    expectTypeOf(await features.values()).toEqualTypeOf<Record<string, Json>>();
    // @ts-expect-error No flag has the value null.
    await expect(features.value('theme', null)).rejects.toThrow(TypeError);
  });

  it('is frozen, so that no caller changes the answer of another', async () => {
    const { features } = await start();
    const limits = await features.value('limits', { nested: { burst: [0] } });
    const { burst } = limits.nested;
    expect(() => burst.push(2)).toThrow(TypeError);
    expect((await features.values())['limits']).toEqual({ perMinute: 5, nested: { burst: [1] } });
  });
});

describe('the other calls', () => {
  it('answer with variant, value, type and rule, all values, and booleans as before', async () => {
    const { features } = await start();
    expect(await features.for({ id: bob }).evaluate('theme')).toEqual({
      key: 'theme',
      enabled: true,
      reason: 'RULE',
      type: 'STRING',
      variant: 'grey',
      value: '#888',
      rule: 'staff',
    });
    expect(await features.values()).toEqual({
      limits: { perMinute: 5, nested: { burst: [1] } },
      new_dashboard: true,
      page_size: 0,
      theme: '#00f',
    });
    expect(await features.getAll()).toEqual({ limits: true, new_dashboard: true, page_size: false, theme: true });
    expect(await features.isEnabled('page_size')).toBe(false);
  });

  it('gate by whether the flag is on, whatever its value', async () => {
    const { features } = await start();
    const request = new Request('https://shop.example/');
    const statusOf = async (key: string) =>
      (await requireFeature(key, { features })((_request: Request) => new Response('in'))(request)).status;
    expect(await statusOf('theme')).toBe(200);
    expect(await statusOf('page_size')).toBe(404);
    // Its value is 0, which is no true value in JavaScript.
    const variants = [{ key: 'small', value: 0, weight: 1 }];
    await features.updateFlag({ key: 'page_size', enabled: true, variants });
    expect(await statusOf('page_size')).toBe(200);
    await features.updateFlag({ key: 'theme', enabled: false });
    expect(await statusOf('theme')).toBe(404);
  });

  it('push a change of the value, the variant and the rule alone', async () => {
    const { features } = await start();
    const seen: FeaturesUpdate[] = [];
    const stop = features.watch({ id: bob }, update => void seen.push(update), { keys: ['theme'] });
    const lastly = async (count: number) => {
      await until(() => seen.length === count, `update ${count}`);
      const [{ enabled, variant, value, rule, reason } = {}] = seen.at(-1)?.features ?? [];
      return { enabled, variant, value, rule, reason };
    };
    const staff = { enabled: true, variant: 'grey', value: '#888', rule: 'staff', reason: 'RULE' };
    expect(await lastly(1)).toEqual(staff);
    const { variants, rules } = seed.flags[1];
    const [grey, blue] = variants;
    await features.updateFlag({ key: 'theme', variants: [{ ...grey, value: '#999' }, blue] });
    expect(await lastly(2)).toEqual({ ...staff, value: '#999' });
    const [rule] = rules;
    await features.updateFlag({ key: 'theme', rules: [{ ...rule, serve: [{ variant: 'blue', weight: 1 }] }] });
    expect(await lastly(3)).toEqual({ ...staff, variant: 'blue', value: '#00f' });
    await features.updateFlag({
      key: 'theme',
      rules: [{ ...rule, id: 'all', when: {}, serve: [{ variant: 'blue', weight: 1 }] }],
    });
    expect(await lastly(4)).toEqual({ ...staff, variant: 'blue', value: '#00f', rule: 'all' });
    // Nothing changes for Bob.
    await features.updateFlag({ key: 'theme', variants: [{ ...grey, value: '#777' }, blue] });
    await features.setOverride({ userId: bob, flagKey: 'theme', enabled: true, variant: 'grey' });
    expect(await lastly(5)).toEqual({ enabled: true, variant: 'grey', value: '#777', rule: null, reason: 'OVERRIDE' });
    stop();
  });
});
