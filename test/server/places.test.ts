import { type Duplex, PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Places } from '../../src/server/http/places.js';

const places = (limit: number) => new Places({ connections: limit, live: limit, requests: limit });
const closed = (holder: Duplex) => new Promise(resolve => holder.once('close', resolve));

describe('the places of an address', () => {
  it('are given back when their holder closes, and nothing is kept of an address that holds none', async () => {
    const taken = places(2);
    const [first, second] = [new PassThrough(), new PassThrough()];
    expect(taken.take('live', '192.0.2.1', first)).not.toBeNull();
    expect(taken.take('live', '192.0.2.1', second)).not.toBeNull();
    expect(taken.take('live', '192.0.2.1', new PassThrough())).toBeNull();
    expect(taken.take('live', '192.0.2.2', second)).not.toBeNull();
    expect(taken.count('live')).toBe(3);
    expect(taken.addresses).toBe(2);
    first.destroy();
    await closed(first);
    expect(taken.count('live')).toBe(2);
    second.destroy();
    await closed(second);
    expect(taken.count('live')).toBe(0);
    expect(taken.addresses).toBe(0);
  });

  it('are given back once, whether by hand or by the end of the response first', async () => {
    const taken = places(2);
    const holder = new PassThrough();
    const place = taken.take('requests', '192.0.2.1', holder);
    taken.take('requests', '192.0.2.1', new PassThrough());
    place?.release();
    place?.release();
    expect(taken.count('requests')).toBe(1);
    holder.destroy();
    await closed(holder);
    expect(taken.count('requests')).toBe(1);
  });

  it('are not held by a response that closed before', async () => {
    const taken = places(1);
    const holder = new PassThrough();
    holder.destroy();
    await closed(holder);
    for (let i = 0; i < 3; i++) expect(taken.take('live', '192.0.2.1', holder)).not.toBeNull();
    expect(taken.count('live')).toBe(0);
  });

  it('are counted apart by kind', () => {
    const taken = places(1);
    for (const kind of ['connections', 'live', 'requests'] as const) {
      expect(taken.take(kind, '192.0.2.1', new PassThrough())).not.toBeNull();
      expect(taken.take(kind, '192.0.2.1', new PassThrough())).toBeNull();
    }
    expect(taken.addresses).toBe(1);
  });

  it('are those of a whole IPv6 network of 64 bits', () => {
    const taken = places(1);
    taken.take('live', '2001:db8:0:1::1', new PassThrough());
    expect(taken.take('live', '2001:db8:0:1:ffff::7', new PassThrough())).toBeNull();
    expect(taken.take('live', '2001:db8:0:2::1', new PassThrough())).not.toBeNull();
  });

  it('are without end where the limit is 0', () => {
    const taken = places(0);
    for (let i = 0; i < 5; i++) expect(taken.take('live', '192.0.2.1', new PassThrough())).not.toBeNull();
    expect(taken.count('live')).toBe(5);
  });
});
