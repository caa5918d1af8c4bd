import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tickets, ticketTime } from '../../src/server/protocols/ofrep/tickets.js';
import { evaluateAll, openStream, type StreamEvent, streamOf } from '../support/ofrep/client.js';
import { notClosing, openPGlite } from '../support/pglite.js';
import { ann, bob, startTestServer, type TestServer } from '../support/server.js';
import { settle, until } from '../support/wait.js';

let server: TestServer;
let url: string;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  url = server.url;
  token = (await server.token('user')) as string;
  const { management } = server.service;
  await management.createFlag({ key: 'all', name: 'All' });
  await management.createFlag({
    ...{ key: 'pro', name: 'Pro', enabled: true },
    conditions: { attributes: { plan: 'pro' } },
  });
});
afterAll(() => server.close());

const streamFor = async (bearer: string | undefined, context = {}, at = url) =>
  streamOf(await evaluateAll(at, context, { token: bearer }));
const revisionOf = ({ data }: StreamEvent) => Number(data.etag.split('.')[0]);
const flip = async (enabled: boolean, key = 'all', at = server) => {
  await at.service.management.updateFlag({ key, enabled });
};

describe('a stream of events', () => {
  it('tells a provider at once to ask again, and then each time that its own answers change', async () => {
    await using stream = await openStream(await streamFor(token));
    expect(stream.status).toBe(200);
    const first = await stream.next();
    expect(first.data).toEqual({ type: 'refetchEvaluation', etag: expect.any(String) });
    expect(revisionOf(first)).toBe(server.service.revision);
    await flip(true);
    const second = await stream.next();
    expect(second.id).not.toBe(first.id);
    expect(revisionOf(second)).toBe(server.service.revision);

    // Nothing of this concerns Ann.
    await server.service.management.setUserAttributes({ userId: bob, attributes: { plan: 'pro' } });
    await server.service.management.updateFlag({ key: 'all', name: 'Another name' });
    await server.service.management.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } });
    const third = await stream.next();
    expect(revisionOf(third)).toBe(server.service.revision);
    expect(stream.size).toBe(0);

    // The same answers have the same name.
    await server.service.management.setUserAttributes({ userId: ann, attributes: {} });
    expect((await stream.next()).id).toBe(second.id);
    await flip(false);
    expect((await stream.next()).id).toBe(first.id);
  });

  it('opened anew is silent only if the provider has the answers of now', async () => {
    const address = await streamFor(token);
    const opened = async (lastId?: string) => {
      await using stream = await openStream(address, lastId);
      return (await stream.next()).id as string;
    };
    const id = await opened();
    await using stream = await openStream(address, id);
    await flip(true);
    const next = await stream.next();
    expect(next.id).not.toBe(id);
    expect(stream.size).toBe(0);
    expect(await opened(id)).toBe(next.id);
    expect(await opened('nonsense')).toBe(next.id);
    await flip(false);
    await stream.next();
  });

  it('follows only the flags that the context names', async () => {
    await using stream = await openStream(await streamFor(token, { flags: ['pro', 'nope'] }));
    await stream.next();
    await flip(true);
    await flip(false);
    await server.service.management.setUserAttributes({ userId: ann, attributes: { plan: 'pro' } });
    await stream.next();
    expect(stream.size).toBe(0);
    await server.service.management.setUserAttributes({ userId: ann, attributes: {} });
    await stream.next();
  });

  it('of a service follows the context, with its attributes', async () => {
    const service = (await server.token('service')) as string;
    await using pro = await openStream(await streamFor(service, { targetingKey: bob, plan: 'pro' }));
    await using free = await openStream(await streamFor(service, { targetingKey: bob, plan: 'free' }));
    await Promise.all([pro.next(), free.next()]);
    await flip(false, 'pro');
    await Promise.all([pro.next(), free.next()]);
    await server.service.management.updateFlag({
      key: 'pro',
      enabled: true,
      conditions: { attributes: { plan: 'none' } },
    });
    await free.next();
    expect(pro.size).toBe(1);
    await server.service.management.updateFlag({ key: 'pro', conditions: { attributes: { plan: 'pro' } } });
    await pro.next();
    await pro.next();
    expect(free.size).toBe(0);
  });

  it('leaves nothing behind when its reader goes', async () => {
    await until(() => server.service.status.subscribers === 0, 'the streams of other tests are gone');
    const address = await streamFor(token);
    const streams = await Promise.all(Array.from({ length: 5 }, () => openStream(address)));
    await Promise.all(streams.map(stream => stream.next()));
    expect(server.load).toMatchObject({ live: 5, streams: 5, requests: 0 });
    expect(server.service.status.subscribers).toBe(5);
    await Promise.all(streams.map(stream => stream[Symbol.asyncDispose]()));
    await until(() => server.load.live === 0 && server.load.streams === 0, 'the streams are gone');
    await until(() => server.service.status.subscribers === 0, 'nobody is subscribed');
    expect(server.load.keptBytes).toBe(0);
  });

  it('takes a place of its address and memory within its limits, and ends with the server', async () => {
    const small = await startTestServer({ MAX_CONNECTIONS_PER_ADDRESS: '2' }, { limits: { keptPerAddress: 4_000 } });
    const address = await streamFor(undefined, {}, small.url);
    const first = await openStream(address);
    const second = await openStream(address);
    const refused = await openStream(address);
    expect([refused.status, refused.body.errorCode]).toEqual([429, 'GENERAL']);
    await first[Symbol.asyncDispose]();
    const opens = async (at: string) => {
      await using stream = await openStream(at);
      return stream.status;
    };
    await until(async () => (await opens(address)) === 200, 'there is a place again');
    const flags = Array.from({ length: 100 }, (_, n) => `flag-${n}`);
    const large = await streamFor(undefined, { flags }, small.url);
    await until(() => small.load.streams === 1, 'one is open');
    expect(await opens(large)).toBe(429);
    await small.close();
    await second.ended;
    await until(() => small.load.connections === 0, 'nothing is left');
    expect(small.load).toMatchObject({ streams: 0, live: 0, keptBytes: 0 });
    expect(small.service.status.subscribers).toBe(0);
  });
});

describe('a ticket', () => {
  const changed = (address: string, change: (ticket: string) => string) => {
    const parsed = new URL(address);
    parsed.searchParams.set('ticket', change(parsed.searchParams.get('ticket') as string));
    return parsed.href;
  };

  it('that is forged, cut or missing opens nothing', async () => {
    const address = await streamFor(token);
    const foreign = new Tickets(randomBytes(32)).issue({
      context: { userId: ann, device: null, attributes: {} },
      keys: null,
      caller: { role: 'USER', userId: ann, attributes: {}, expiresAt: null },
    });
    const other = (character: string | undefined) => (character === 'A' ? 'B' : 'A');
    for (const change of [
      (text: string) => `${text.slice(0, -1)}${other(text.at(-1))}`,
      (text: string) => `${other(text[0])}${text.slice(1)}`,
      (text: string) => text.slice(1),
      (text: string) => text + text,
      () => '',
      () => 'x'.repeat(20_000),
      () => foreign.text,
    ]) {
      const { status, body } = await openStream(changed(address, change));
      expect([status, body.errorCode]).toEqual([401, 'GENERAL']);
    }
  });

  it('is the same for half an hour, lives for an hour, and never longer than the credential', () => {
    let now = 1_800_000_000_000;
    const tickets = new Tickets(Buffer.alloc(32, 1), () => now);
    const of = (userId: string | null, expiresAt: number | null = null, attributes = {}) =>
      tickets.issue({
        context: { userId, device: null, attributes },
        keys: null,
        caller: { role: 'USER', userId, attributes: {}, expiresAt },
      });
    const first = of('ann');
    const caller = { role: 'USER', userId: 'ann', attributes: {}, expiresAt: null } as const;
    const texts = new Set<string>();
    for (let minute = 0; minute < 60; minute += 1) {
      now += 60_000;
      const ticket = of('ann');
      texts.add(ticket.text);
      const read = tickets.read(ticket.text);
      expect(read?.id).toBe(first.id);
      // A caller is one object for as long as its token is kept.
      expect(tickets.issue({ context: { userId: 'ann', device: null, attributes: {} }, keys: null, caller })).toEqual(
        ticket,
      );
      expect(
        tickets.issue({ context: { userId: 'bob', device: null, attributes: {} }, keys: null, caller }).id,
      ).not.toBe(first.id);
      expect((read?.expiresAt ?? 0) - now).toBeGreaterThanOrEqual(ticketTime / 2 - 1_000);
      expect((read?.expiresAt ?? 0) - now).toBeLessThanOrEqual(ticketTime);
    }
    expect(texts.size).toBe(2 + (texts.has(first.text) ? 1 : 0));
    expect(tickets.read(first.text)).toBeNull();
    expect(of('bob').id).not.toBe(first.id);
    expect(of('ann', null, { plan: 'pro' }).id).not.toBe(first.id);
    expect(of(null).id).not.toBe(first.id);
    // Tokens that end long after the ticket share it, if they end in the same half hour.
    const day = now + 24 * ticketTime;
    const long = of('ann', day);
    expect(long.endsAt).toBeLessThanOrEqual(day);
    expect(long.endsAt).toBeGreaterThan(day - ticketTime / 2);
    expect(of('ann', long.endsAt).text).toBe(long.text);
    expect(of('ann', (long.endsAt as number) + ticketTime / 2 - 1).text).toBe(long.text);
    expect(of('ann', (long.endsAt as number) + ticketTime / 2).id).not.toBe(long.id);
    const short = of('ann', now + 10_000);
    expect(short.endsAt).toBe(now + 10_000);
    expect(tickets.read(short.text)?.expiresAt).toBe(now + 10_000);
    now += 10_000;
    expect(tickets.read(short.text)).toBeNull();
    // Nothing but the id, the time and the signature.
    expect(Buffer.from(first.text, 'base64url')).toHaveLength(36);
  });

  it('opens the stream and nothing else', async () => {
    const ticket = new URL(await streamFor(token)).searchParams.get('ticket') as string;
    const asToken = await evaluateAll(url, {}, { token: ticket });
    expect(asToken.status).toBe(401);
    const inUrl = await evaluateAll(url, {}, {}, `?ticket=${ticket}`);
    expect(streamOf(inUrl)).not.toContain(ticket);
  });

  it('opens streams that end with its own credential, whoever asks meanwhile', async () => {
    const lasting = (await server.token('user', { userId: 'renewing' })) as string;
    // Within the tolerance for clocks this token ends in one to two seconds.
    const ending = (await server.token('user', { userId: 'renewing', expiresInSeconds: -3 })) as string;
    const [longer, shorter] = [await streamFor(lasting), await streamFor(ending)];
    // The token that ends first asked last.
    await using stays = await openStream(longer);
    await stays.next();
    await streamFor(lasting);
    await using goes = await openStream(shorter);
    await goes.next();
    await goes.ended;
    expect((await openStream(shorter)).status).toBe(401);
    await using again = await openStream(longer);
    await again.next();
    await flip(true);
    await Promise.all([stays.next(), again.next()]);
    await flip(false);
  });

  it('ends with the credential, and so does its stream', async () => {
    // Within the tolerance for clocks this token ends in one to two seconds.
    const ending = (await server.token('user', { userId: 'ending', expiresInSeconds: -3 })) as string;
    const address = await streamFor(ending);
    await using stream = await openStream(address);
    await stream.next();
    await stream.ended;
    expect((await openStream(address)).status).toBe(401);
    // With a new credential there is a new ticket.
    const renewed = (await server.token('user', { userId: 'ending' })) as string;
    await using again = await openStream(await streamFor(renewed));
    expect(again.status).toBe(200);
  });
});

describe('a node that does not know the context of a ticket', () => {
  it('charges the context to the address once it is known, and ends the stream where there is no room', async () => {
    const secret = randomBytes(32).toString('hex');
    const database = await openPGlite();
    await using own = await startTestServer({ AUTH_JWT_SECRET: secret }, { database });
    const flags = (count: number) => ({ flags: Array.from({ length: count }, (_, n) => `flag-${n}`) });
    const settings = { database: notClosing(database), limits: { keptPerAddress: 4_000 } };
    await using other = await startTestServer({ AUTH_JWT_SECRET: secret }, settings);
    const openAt = async (count: number) => {
      const { pathname, search } = new URL(await streamFor(undefined, flags(count), own.url));
      return openStream(`${other.url}${pathname}${search}`);
    };
    await using fits = await openAt(10);
    await fits.next();
    expect(other.load.keptBytes).toBe(200);
    await streamFor(undefined, flags(10), other.url);
    await fits.next();
    expect(other.load.keptBytes).toBeGreaterThan(600);
    await using large = await openAt(100);
    await large.next();
    await streamFor(undefined, flags(100), other.url);
    await large.ended;
    expect([other.load.streams, other.service.status.subscribers]).toEqual([1, 1]);
    await fits[Symbol.asyncDispose]();
    await until(() => other.load.keptBytes === 0, 'nothing is kept');
  });

  it('tells of any change of a flag, until the provider asks it', async () => {
    const secret = randomBytes(32).toString('hex');
    const first = await openPGlite();
    await using own = await startTestServer({ AUTH_JWT_SECRET: secret }, { database: first });
    await own.service.management.createFlag({ key: 'all', name: 'All' });
    await own.service.management.createFlag({
      ...{ key: 'pro', name: 'Pro', enabled: true },
      conditions: { attributes: { plan: 'pro' } },
    });
    const bearer = (await own.token('user')) as string;
    const known = new URL(await streamFor(bearer, {}, own.url));
    // Another node on the same database: it has the secret, and has never been asked.
    await using other = await startTestServer({ AUTH_JWT_SECRET: secret }, { database: notClosing(first) });
    const address = `${other.url}${known.pathname}${known.search}`;
    await using stream = await openStream(address, 'x');
    expect(await stream.next()).toEqual({ data: expect.objectContaining({ type: 'refetchEvaluation' }) });
    await flip(false, 'pro', other);
    expect((await stream.next()).id).toBeUndefined();
    // One statement changes both flags: the log brings them at once.
    await first.prisma.$executeRaw`UPDATE feature_flags SET name = name || '!'`;
    await stream.next();
    await settle();
    expect(stream.size).toBe(0);
    // The provider asks this node: from now on its own changes count.
    await evaluateAll(other.url, {}, { token: bearer });
    expect((await stream.next()).id).toBeDefined();
    await flip(true, 'pro', other);
    await stream.next();
    await other.service.management.updateFlag({ key: 'pro', conditions: { attributes: { plan: 'none' } } });
    await settle();
    await flip(true, 'all', other);
    await stream.next();
    expect(stream.size).toBe(0);
    await other.close();
    await stream.ended;
  });
});
