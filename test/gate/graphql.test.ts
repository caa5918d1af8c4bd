import { type ExecutionResult, type GraphQLSchema, graphql, parse, subscribe } from 'graphql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFeatures,
  FeatureDisabledError,
  type Features,
  MemoryBackend,
  UnavailableError,
} from '../../src/index.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';
import { settle, until } from '../support/wait.js';
import { EventSource } from './event-source.js';
import { type Context, fieldForms, userOf } from './gated-schemas.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bob = '00000000-0000-4000-8000-000000000001';

let backend: ControlledBackend;
let features: Features;

beforeEach(async () => {
  backend = controlled(new MemoryBackend());
  features = await createFeatures({ backend });
  await features.createFlag({ key: 'on', name: 'On', enabled: true });
  await features.createFlag({ key: 'off', name: 'Off' });
  await features.setOverride({ userId: ann, flagKey: 'off', enabled: true });
});

afterEach(() => features.close());

function run(schema: GraphQLSchema, source: string, user?: string): Promise<ExecutionResult> {
  return graphql({ schema, source, contextValue: { user } satisfies Context });
}

/** The results of the subscription `gated`, or why there is none. */
async function watch(schema: GraphQLSchema, user?: string, device?: string) {
  const contextValue: Context = { user, device };
  const result = await subscribe({ schema, document: parse('subscription { gated }'), contextValue });
  if (!(Symbol.asyncIterator in result)) return { refused: result, results: null };
  return { refused: null, results: result as AsyncGenerator<ExecutionResult, void, void> };
}

async function open(schema: GraphQLSchema, user?: string) {
  const { results, refused } = await watch(schema, user);
  if (results === null) throw new Error(`refused: ${JSON.stringify(refused)}`);
  return results;
}

const gated = '{ gated(name: "x") }';
const answer = (status: number, message: string) => [
  expect.objectContaining({ message, extensions: { code: 'FEATURE_DISABLED', http: { status } } }),
];
const notFound = answer(404, 'Not found.');

describe.each(fieldForms)('%s', (form, makeSchema) => {
  it('resolves when the feature is on, with the arguments and the context', async () => {
    const schema = makeSchema({ features, gate: { key: 'on' }, answer: (name, { user }) => `${name} of ${user}` });
    expect(await run(schema, gated, ann)).toEqual({ data: { gated: `x of ${ann}` } });
    expect(await run(schema, gated)).toEqual({ data: { gated: 'x of undefined' } });
  });

  it.each([
    [{}, 404, 'Not found.'],
    [{ status: 404, message: 'Nothing here.' }, 404, 'Nothing here.'],
    [{ status: 403 }, 403, 'Forbidden.'],
    [{ status: 403, message: 'Not for you yet.' }, 403, 'Not for you yet.'],
  ] as const)('answers in place of the resolver when the feature is off: %j', async (closed, status, message) => {
    let calls = 0;
    const count = () => `${++calls}`;
    const schema = makeSchema({ features, gate: { key: 'off', ...closed }, answer: count });
    const result = await run(schema, '{ free gated(name: "x") }', bob);
    expect(result.data).toEqual({ free: 'free', gated: null });
    expect(result.errors).toEqual(answer(status, message));
    expect(result.errors?.[0]?.path).toEqual(['gated']);
    expect(calls).toBe(0);
  });

  it('asks for the user of the context', async () => {
    const schema = makeSchema({ features, gate: { key: 'off' } });
    expect(await run(schema, gated, ann)).toEqual({ data: { gated: 'hello x' } });
    expect((await run(schema, gated, bob)).errors).toEqual(notFound);
    expect((await run(schema, gated)).errors).toEqual(notFound);
  });

  it('is closed for a flag that does not exist', async () => {
    expect((await run(makeSchema({ features, gate: { key: 'nope' } }), gated)).errors).toEqual(notFound);
  });

  it('is closed when the answer cannot be determined, unless told otherwise', async () => {
    backend.fail('targeting', new UnavailableError());
    const closed = await run(makeSchema({ features, gate: { key: 'on' } }), gated, bob);
    expect(closed.errors).toEqual(notFound);
    const cause = closed.errors?.[0]?.originalError?.cause;
    expect(cause).toBeInstanceOf(FeatureDisabledError);
    expect((cause as Error).cause).toBeInstanceOf(UnavailableError);
    const open = makeSchema({ features, gate: { key: 'on', whenUnknown: 'open' } });
    expect(await run(open, gated, bob)).toEqual({ data: { gated: 'hello x' } });
  });

  it('is null without an error when it is soft', async () => {
    const schema = makeSchema({ features, gate: { key: 'off', soft: true } });
    expect(await run(schema, gated, bob)).toEqual({ data: { gated: null } });
    expect(await run(schema, gated, ann)).toEqual({ data: { gated: 'hello x' } });
  });

  it('takes no null for a field that cannot be null', async () => {
    const make = () => makeSchema({ features, gate: { key: 'off', soft: true }, nullable: false });
    if (form === 'the Pothos plugin') {
      expect(make).toThrow('The field Item.gated cannot be null, as `soft` would have it: make it nullable.');
    } else {
      expect((await run(make(), gated)).errors).toEqual(notFound);
    }
  });

  it('passes on errors of the resolver and of `user`', async () => {
    const failure = new Error('the resolver failed');
    const schema = makeSchema({
      features,
      gate: { key: 'on', soft: true },
      answer: () => {
        throw failure;
      },
    });
    expect((await run(schema, gated)).errors?.[0]?.originalError).toBe(failure);
    const stranger = () => {
      throw failure;
    };
    const lost = makeSchema({ features, gate: { key: 'on', soft: true, whenUnknown: 'open' }, user: stranger });
    expect((await run(lost, gated)).errors?.[0]?.originalError).toBe(failure);
  });

  it('answers a malformed user id or device with its code and its path', async () => {
    const schema = makeSchema({ features, gate: { key: 'on' } });
    const ask = (contextValue: Context) => graphql({ schema, source: gated, contextValue });
    const [device, id] = [await ask({ device: 'a/b/c/d/e' }), await ask({ user: 'ann ' })];
    const http = { status: 400 };
    expect(device.errors?.map(error => error.toJSON())).toMatchObject([
      { message: expect.stringMatching(/^device: .*found "\/"\.$/), path: ['gated'] },
    ]);
    expect(device.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', path: ['device'], http });
    expect(id.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', path: ['id'], http });
  });

  it('gates fields of the objects in a list, each at its place', async () => {
    const source = '{ items { name gated } }';
    const schema = makeSchema({ features, gate: { key: 'off' } });
    const opened = await run(schema, source, ann);
    expect(opened).toEqual({ data: { items: ['a', 'b', 'c'].map(name => ({ name, gated: `hello ${name}` })) } });
    const { data, errors } = await run(schema, source, bob);
    expect(data).toEqual({ items: ['a', 'b', 'c'].map(name => ({ name, gated: null })) });
    expect(errors?.map(({ path }) => path)).toEqual([0, 1, 2].map(index => ['items', index, 'gated']));
  });

  it('gates mutations', async () => {
    const done: string[] = [];
    const schema = makeSchema({ features, gate: { key: 'off' }, answer: name => `${done.push(name)}` });
    const source = 'mutation { first: gated(name: "1") second: gated(name: "2") }';
    expect((await run(schema, source, bob)).errors).toHaveLength(2);
    expect(done).toEqual([]);
    await run(schema, source, ann);
    expect(done).toEqual(['1', '2']);
  });

  describe('for subscriptions', () => {
    it('refuses users without the feature, without subscribing', async () => {
      const events = new EventSource<string>();
      const schema = makeSchema({ features, gate: { key: 'off', status: 403 }, subscribe: () => events });
      const { refused } = await watch(schema, bob);
      expect(refused?.errors).toEqual(answer(403, 'Forbidden.'));
      expect(refused).not.toHaveProperty('data');
      expect(events.readers).toBe(0);
      expect(features.status.subscribers).toBe(0);
    });

    it('is closed when the answer cannot be determined, unless told otherwise', async () => {
      const heal = backend.fail('targeting', new UnavailableError());
      const events = new EventSource<string>();
      const given = { features, subscribe: () => events };
      expect((await watch(makeSchema({ ...given, gate: { key: 'on' } }), bob)).refused?.errors).toEqual(notFound);

      const results = await open(makeSchema({ ...given, gate: { key: 'off', whenUnknown: 'open' } }), bob);
      events.push('in the outage');
      expect((await results.next()).value).toEqual({ data: { gated: 'in the outage' } });
      // Once it can be determined, the answer counts.
      heal();
      expect((await results.next()).value?.errors).toEqual(notFound);
      expect(await results.next()).toEqual({ done: true, value: undefined });
    });

    it('ends with the reason, at once, for those for whom the feature goes off, and for nobody else', async () => {
      const events = new EventSource<string>();
      const schema = makeSchema({ features, gate: { key: 'on' }, subscribe: () => events });
      const anns = await open(schema, ann);
      const bobs = await open(schema, bob);
      events.push('1');
      expect((await anns.next()).value).toEqual({ data: { gated: '1' } });
      expect((await bobs.next()).value).toEqual({ data: { gated: '1' } });
      expect(features.status.subscribers).toBe(2);

      const last = anns.next();
      await features.setOverride({ userId: ann, flagKey: 'on', enabled: false });
      const { value, done } = await last;
      expect(done).toBe(false);
      expect(value?.data).toEqual({ gated: null });
      expect(value?.errors).toEqual(notFound);
      expect(await anns.next()).toEqual({ done: true, value: undefined });
      expect(events.readers).toBe(1);

      events.push('2');
      expect((await bobs.next()).value).toEqual({ data: { gated: '2' } });
      expect(features.status.subscribers).toBe(1);
      await bobs.return();
      expect(features.status.subscribers).toBe(0);
    });

    it('ends when the feature goes off for a device', async () => {
      await features.createFlag({ key: 'rolled_out', name: 'Rolled out', enabled: true, percentage: 50 });
      const schema = makeSchema({ features, gate: { key: 'rolled_out' }, subscribe: () => new EventSource<string>() });
      // The first is in bucket 3101, the second in bucket 6347.
      const first = await watch(schema, undefined, 'device-000002');
      expect((await watch(schema, undefined, 'device-000001')).refused?.errors).toEqual(notFound);
      const last = first.results?.next();
      await features.updateFlag({ key: 'rolled_out', percentage: 31 });
      expect((await last)?.value?.errors).toEqual(notFound);
    });

    it('hands over nothing that came before it went off and was not taken', async () => {
      const events = new EventSource<string>();
      const results = await open(makeSchema({ features, gate: { key: 'on' }, subscribe: () => events }));
      events.push('1');
      events.push('2');
      await results.next();
      await features.updateFlag({ key: 'on', enabled: false });
      await until(() => features.status.subscribers === 0, 'the gate has closed');
      expect((await results.next()).value?.errors).toEqual(notFound);
      expect((await results.next()).done).toBe(true);
    });

    it('sees a change that happens while it subscribes', async () => {
      const events = new EventSource<string>();
      const slow = async () => {
        await features.updateFlag({ key: 'on', enabled: false });
        return events;
      };
      const results = await open(makeSchema({ features, gate: { key: 'on' }, subscribe: slow }));
      expect((await results.next()).value?.errors).toEqual(notFound);
      expect([events.readers, features.status.subscribers]).toEqual([0, 0]);
    });

    it('does not end when only the reason changes', async () => {
      const events = new EventSource<string>();
      const results = await open(makeSchema({ features, gate: { key: 'on' }, subscribe: () => events }), ann);
      await features.setOverride({ userId: ann, flagKey: 'on', enabled: true });
      await settle();
      events.push('still');
      expect((await results.next()).value).toEqual({ data: { gated: 'still' } });
      await results.return();
    });

    it('is null in place of the reason when it is soft', async () => {
      const events = new EventSource<string>();
      const schema = makeSchema({ features, gate: { key: 'off', soft: true }, subscribe: () => events });
      const refused = await open(schema, bob);
      expect(await refused.next()).toEqual({ done: false, value: { data: { gated: null } } });
      expect((await refused.next()).done).toBe(true);

      const results = await open(schema, ann);
      await features.removeOverride({ userId: ann, flagKey: 'off' });
      expect(await results.next()).toEqual({ done: false, value: { data: { gated: null } } });
      expect((await results.next()).done).toBe(true);
      expect(events.readers).toBe(0);
    });

    it('ends with an error where the field cannot be null', async () => {
      const events = new EventSource<string>();
      const schema = makeSchema({ features, gate: { key: 'on' }, nullable: false, subscribe: () => events });
      const results = await open(schema);
      await features.deleteFlag({ key: 'on' });
      const { value } = await results.next();
      expect([value?.data, value?.errors]).toEqual([null, notFound]);
      expect((await results.next()).done).toBe(true);
    });

    it('releases everything when the client leaves, also while it waits', async () => {
      const events = new EventSource<string>();
      const schema = makeSchema({ features, gate: { key: 'on' }, subscribe: () => events });
      for (let turn = 0; turn < 100; turn += 1) {
        const results = await open(schema, turn % 2 === 0 ? ann : bob);
        const waiting = turn % 3 === 0 ? results.next() : null;
        expect([features.status.subscribers, events.readers]).toEqual([1, 1]);
        await results.return();
        expect([features.status.subscribers, events.readers]).toEqual([0, 0]);
        if (waiting !== null) expect((await waiting).done).toBe(true);
      }
    });

    it('releases the gate when the source ends or fails, and hands its failure on', async () => {
      const events = new EventSource<string>();
      const schema = makeSchema({ features, gate: { key: 'on' }, subscribe: () => events });
      const ended = await open(schema);
      const end = ended.next();
      events.end();
      expect((await end).done).toBe(true);
      const failed = await open(schema);
      const failure = failed.next();
      events.fail(new Error('the source failed'));
      await expect(failure).rejects.toThrow('the source failed');
      expect(features.status.subscribers).toBe(0);
    });

    it('hands on why the source cannot be subscribed to', async () => {
      const subscribeTo = (source: unknown) =>
        makeSchema({ features, gate: { key: 'on' }, subscribe: () => source as AsyncIterable<string> });
      const { refused } = await watch(subscribeTo(Promise.reject(new Error('no source'))));
      expect(refused?.errors?.[0]?.message).toBe('no source');
      await expect(watch(subscribeTo('no stream'))).rejects.toThrow('must return Async Iterable');
      expect(features.status.subscribers).toBe(0);
    });

    it('calls `user` once', async () => {
      let times = 0;
      const user = (context: Context) => {
        times += 1;
        return userOf(context);
      };
      const schema = makeSchema({ features, gate: { key: 'on' }, user, subscribe: () => new EventSource() });
      await (await open(schema, ann)).return();
      expect(times).toBe(1);
    });
  });
});
