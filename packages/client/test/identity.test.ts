import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamListener, StreamRequest, Transport } from '../src/types.js';
import { answer, flush, Page, snapshotOf, updateOf } from './support/page.js';

describe('the answers of a user', () => {
  it('are there at the next visit, before the server has answered', async () => {
    const page = new Page();
    const options = { subject: 'ann', token: () => 'of ann' };
    const first = await page.open(options);
    await (await page.lastRequest.stream()).update(updateOf({ a: true }, { revision: 4 }));
    first.close();
    const client = await page.open(options);
    await client.ready();
    expect([client.source, client.status, client.isEnabled('a')]).toEqual(['cache', 'connecting', true]);
    expect(client.snapshot()).toEqual(snapshotOf('ann', { a: true }, 4));
    expect(page.lastRequest.body.variables).toEqual({ keys: null, since: 4 });
    client.close();
    const bob = await page.open({ subject: 'bob', token: () => 'of bob' });
    expect([bob.source, bob.isEnabled('a')]).toEqual(['default', false]);
    bob.close();
    const others = await Promise.all([
      page.open({ ...options, url: 'https://other.example.com' }),
      page.open({ ...options, keys: ['a'] }),
      page.open(),
    ]);
    for (const other of others) {
      expect(other.source).toBe('default');
      other.close();
    }
  });

  it('are neither kept nor read without a stated subject, except of visitors without a token', async () => {
    const page = new Page();
    const signedIn = await page.open({ token: () => 'somebody' });
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect(signedIn.snapshot().subject).toBeNull();
    signedIn.close();
    expect([...page.stored.keys()]).toEqual(['halyard:device']);

    const anonymous = await page.open();
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect(anonymous.snapshot().subject).toBe('');
    anonymous.close();

    let resolve = (_token: string | null) => {};
    const client = await page.open({
      token: () =>
        new Promise(done => {
          resolve = done;
        }),
    });
    expect(client.source).toBe('default');
    resolve(null);
    await flush();
    expect([client.source, client.isEnabled('a')]).toEqual(['cache', true]);
    // Somebody has signed in, and the page has not said so.
    await page.goOnline(false);
    await page.goOnline(true);
    await page.pass(500);
    resolve('somebody');
    await flush();
    expect([client.source, client.isEnabled('a')]).toEqual(['default', false]);
    client.close();
  });

  it('are dropped when the token is gone, whatever the page states', async () => {
    const page = new Page();
    let token: string | null = 'of ann';
    const client = await page.open({ subject: 'ann', token: () => token });
    const stream = await page.lastRequest.stream();
    await stream.update(updateOf({ a: true }));
    token = null;
    await stream.end();
    expect(client.isEnabled('a')).toBe(true);
    await page.pass(500);
    expect(client.isEnabled('a')).toBe(false);
    expect(client.snapshot().subject).toBe('');
    client.close();
  });

  it('give way to those of the next user in one step', async () => {
    const page = new Page();
    const stored = await page.open({ subject: 'bob', token: () => 'of bob' });
    await (await page.lastRequest.stream()).update(updateOf({ a: false, b: true, same: true }));
    stored.close();

    const client = await page.open({ subject: 'ann', token: () => 'token' });
    const old = await page.lastRequest.stream();
    await old.update(updateOf({ a: true, same: true }));
    const told: unknown[] = [];
    const same = client.evaluate('same');
    client.onChange(keys => told.push([...keys].sort(), client.isEnabled('a'), client.snapshot().subject));
    const identified = client.identify({ subject: 'bob' });
    expect(told).toEqual([['a', 'b'], false, 'bob']);
    expect([client.source, client.status]).toEqual(['cache', 'connecting']);
    expect(client.evaluate('same')).toBe(same);
    await old.update(updateOf({ a: true, late: true }));
    expect(client.all()).toEqual({ a: answer(false), b: answer(true), same: answer(true) });
    await flush();
    expect(page.lastRequest.body.variables['since']).toBe(1);
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    await identified;
    expect(page.stored.size).toBe(3);
    client.close();
  });

  it('stay until the first update if that is asked for, but are never kept for the next user', async () => {
    const page = new Page();
    const client = await page.open({ subject: 'ann', token: () => 'token' });
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    client.identify({ subject: 'bob', clear: false });
    await flush();
    expect(client.isEnabled('a')).toBe(true);
    expect(client.snapshot().subject).toBe('ann');
    expect([...page.stored.keys()].filter(key => key.includes('bob'))).toEqual([]);
    await (await page.lastRequest.stream()).update(updateOf({ b: true }));
    expect(client.all()).toEqual({ b: answer(true) });
    client.close();
  });

  it('are waited for by the identify of a listener that hears of the user before', async () => {
    const page = new Page();
    const client = await page.open({ subject: 'ann', token: () => 'token' });
    let isBob = false;
    const stop = client.onChange(() => {
      stop();
      client.identify({ subject: 'bob' }).then(() => {
        isBob = true;
      });
    });
    let isAnn = false;
    client.identify().then(() => {
      isAnn = true;
    });
    await flush();
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect([isAnn, isBob, client.isEnabled('a'), client.status]).toEqual([true, false, false, 'connecting']);
    await (await page.lastRequest.stream()).update(updateOf({ b: true }));
    expect([isBob, client.isEnabled('b')]).toEqual([true, true]);
    client.close();
  });

  it('are dropped by identify where nobody knows whether the user is another', async () => {
    const page = new Page();
    const client = await page.open({ token: () => 'somebody' });
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    client.identify();
    expect(client.isEnabled('a')).toBe(false);
    client.close();
  });

  it('stay if the same user is identified again, and go if that is asked for', async () => {
    const page = new Page();
    const client = await page.open({ subject: 'ann', token: () => 'of ann' });
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    client.identify();
    expect(client.isEnabled('a')).toBe(true);
    client.identify({ clear: true });
    expect([client.isEnabled('a'), client.source]).toEqual([false, 'default']);
    client.close();
  });

  it('of a bootstrap are taken for the subject that it names, and for no other', async () => {
    const page = new Page();
    const bootstrap = snapshotOf('ann', { a: true }, 9);
    const client = await page.open({ bootstrap, token: () => 'of ann' });
    expect([client.source, client.isEnabled('a')]).toEqual(['bootstrap', true]);
    await client.ready();
    const told: unknown[] = [];
    client.onChange(keys => told.push(keys));
    await (await page.lastRequest.stream()).update(updateOf({ a: true, b: true }, { revision: 9 }));
    // Only what differs is told.
    expect(told).toEqual([['b']]);
    expect([...page.stored.keys()].filter(key => key.includes('"ann"'))).toHaveLength(1);
    client.close();

    for (const refused of [snapshotOf('bob', { a: true }), { subject: 'ann', revision: 2 ** 40, answers: {} }, {}]) {
      const other = await page.open({ subject: 'cem', bootstrap: refused as typeof bootstrap, token: () => 'of cem' });
      expect([other.source, other.isEnabled('a')]).toEqual(['default', false]);
      expect(page.errors.splice(0).map(({ code }) => code)).toEqual(['BOOTSTRAP_REFUSED']);
      other.close();
    }
  });

  it('that an old token earns while token() is pending are not heard', async () => {
    const page = new Page();
    const tokens: ((token: string) => void)[] = [];
    const client = await page.open({ subject: 'ann', token: () => new Promise(resolve => tokens.push(resolve)) });
    client.identify({ subject: 'bob' });
    client.identify({ subject: 'cem' });
    await flush();
    for (const [index, resolve] of tokens.entries()) resolve(`token ${index}`);
    await flush();
    expect(page.requests.map(({ headers }) => headers['authorization'])).toEqual([`Bearer token ${tokens.length - 1}`]);
    await (await page.lastRequest.stream()).update(updateOf({ a: true }));
    expect([...page.stored.keys()].filter(key => key.includes('"cem"'))).toHaveLength(1);
    client.close();
  });

  it('come over a shared stream only to tabs of the same stated subject, or without a token', async () => {
    const page = new Page();
    const slots: string[] = [];
    const renewals: boolean[] = [];
    const options = {
      transport: (request: StreamRequest) => {
        renewals.push(request.isRenewed);
        return () => {};
      },
      share: (transport: Transport, slot: string): Transport => {
        slots.push(slot);
        return transport;
      },
    };
    const ann = { ...options, subject: 'ann', token: () => 'token' };
    const clients = [
      await page.open(ann),
      await page.open(ann),
      await page.open({ ...options, subject: 'bob', token: () => 'token' }),
      await page.open({ ...options, token: () => 'token' }),
      await page.open(options),
      await page.open({ ...options, subject: 'ann', token: () => null }),
    ];
    expect(slots).toHaveLength(5);
    expect([slots[0] === slots[1], new Set(slots).size, slots[3] === slots[4]]).toEqual([true, 3, true]);
    clients[0]?.identify();
    await flush();
    expect(renewals).toEqual([...clients.map(() => false), true]);
    for (const client of clients) client.close();
  });

  it('are never shown or kept for another, whatever happens in whatever order', async () => {
    const subjects = ['ann', 'bob', ''] as const;
    const step = fc.oneof(
      fc.record({ kind: fc.constant('update' as const), stream: fc.nat(5), flag: fc.constantFrom('a', 'b') }),
      fc.record({ kind: fc.constant('end' as const), stream: fc.nat(5) }),
      fc.record({
        kind: fc.constant('identify' as const),
        subject: fc.constantFrom(...subjects),
        clear: fc.constantFrom(undefined, true),
      }),
      fc.record({ kind: fc.constant('pass' as const), milliseconds: fc.constantFrom(0, 500, 30_000) }),
      fc.record({ kind: fc.constantFrom('storage fails' as const, 'storage works' as const, 'reload' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
        const page = new Page();
        const storage = page.localStorage;
        let user: (typeof subjects)[number] = 'ann';
        const streams: { readonly request: StreamRequest; readonly listener: StreamListener }[] = [];
        // Like a transport that goes on talking after it was closed.
        const transport: Transport = (request, listener) => {
          streams.push({ request, listener });
          return () => {};
        };
        const options = { transport, storage: { ...storage }, token: async () => (user === '' ? null : user) };
        let client = await page.open({ ...options, subject: user });
        const check = () => {
          for (const { value } of Object.values(client.all())) expect(value).toBe(user);
          for (const [slot, text] of page.stored) {
            if (slot === 'halyard:device') continue;
            const { subject, answers } = JSON.parse(text);
            expect(JSON.parse(slot.slice('halyard:1:'.length))[1]).toBe(subject);
            for (const { value } of Object.values<{ value: unknown }>(answers)) expect(value).toBe(subject);
          }
        };
        client.onChange(check);
        for (const todo of steps) {
          if (todo.kind === 'update') {
            const stream = streams.at(-1 - todo.stream);
            // The server answers for the user of the token.
            const feature = { ...answer(true), key: todo.flag, value: stream?.request.token ?? '' };
            stream?.listener.onUpdate(updateOf({}, { features: [feature] }));
          } else if (todo.kind === 'end') {
            streams.at(-1 - todo.stream)?.listener.onEnd(new Error('over') as never);
          } else if (todo.kind === 'identify') {
            user = todo.subject;
            client.identify({ subject: user === '' ? null : user, clear: todo.clear });
          } else if (todo.kind === 'pass') {
            await page.pass(todo.milliseconds);
          } else if (todo.kind === 'reload') {
            client.close();
            client = await page.open({ ...options, ...(user === '' ? {} : { subject: user }) });
            client.onChange(check);
          } else {
            const fails = () => {
              throw new Error('forbidden');
            };
            const isBroken = todo.kind === 'storage fails';
            options.storage.getItem = isBroken ? fails : storage.getItem;
            options.storage.setItem = isBroken ? fails : storage.setItem;
          }
          check();
        }
        await flush();
        check();
        expect(page.uncaught).toEqual([]);
        client.close();
        expect([page.timers, page.listeners]).toEqual([0, 0]);
      }),
      { numRuns: 150 },
    );
  });
});
