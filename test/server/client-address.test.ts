import { describe, expect, it } from 'vitest';
import type { TrustProxy } from '../../src/config/schema.js';
import { createAddressReader } from '../../src/server/http/address.js';
import { cpuTime } from '../support/cpu.js';

const read = (trustProxy: TrustProxy, remoteAddress: string | undefined, forwardedFor?: string) =>
  createAddressReader(trustProxy)({
    headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
    socket: { remoteAddress },
  });

describe('the address of a client', () => {
  it.each<[TrustProxy, string | undefined, string | undefined, string]>([
    // Nobody is believed.
    [false, '192.0.2.1', undefined, '192.0.2.1'],
    [false, '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    [0, '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    [false, '::ffff:192.0.2.1', undefined, '192.0.2.1'],
    [false, '2001:DB8:0:0::1', undefined, '2001:db8::1'],
    [false, undefined, undefined, 'unknown'],
    [false, undefined, '203.0.113.7', 'unknown'],
    // Everybody is.
    [true, '192.0.2.1', undefined, '192.0.2.1'],
    [true, '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    [true, '192.0.2.1', '203.0.113.7, 198.51.100.1', '203.0.113.7'],
    [true, undefined, '203.0.113.7', '203.0.113.7'],
    // So many proxies: one writes the last entry, two the last two.
    [1, '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    [1, '192.0.2.1', '6.6.6.6, 203.0.113.7', '203.0.113.7'],
    [2, '192.0.2.1', '6.6.6.6, 203.0.113.7, 198.51.100.1', '203.0.113.7'],
    [5, '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    // The trail ends after 32 entries.
    [true, '192.0.2.1', `6.6.6.6, ${'203.0.113.7, '.repeat(31)}198.51.100.1`, '203.0.113.7'],
    [1, '192.0.2.1', `${'6.6.6.6, '.repeat(200)}203.0.113.7`, '203.0.113.7'],
    // These proxies: the first entry from the end that is none of them.
    [['192.0.2.0/24'], '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    [['192.0.2.1'], '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    [['192.0.2.2'], '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    [['192.0.2.0/24', '198.51.100.1'], '192.0.2.1', '6.6.6.6, 203.0.113.7, 198.51.100.1', '203.0.113.7'],
    [['192.0.2.0/24'], '192.0.2.1', '192.0.2.9, 192.0.2.8', '192.0.2.9'],
    [['::1'], '::1', '203.0.113.7', '203.0.113.7'],
    [['192.0.2.0/24'], '::ffff:192.0.2.1', '203.0.113.7', '203.0.113.7'],
    [['192.0.2.0/24'], undefined, '203.0.113.7', 'unknown'],
    // What is no address ends the trail.
    [true, '192.0.2.1', 'unknown', '192.0.2.1'],
    [true, '192.0.2.1', '<script>, 203.0.113.7', '203.0.113.7'],
    [true, '192.0.2.1', ' , ,', '192.0.2.1'],
    [true, '192.0.2.1', '', '192.0.2.1'],
    [true, '192.0.2.1', '0x7f.1', '192.0.2.1'],
    // Some proxies write the port too.
    [true, '192.0.2.1', '203.0.113.7:4711', '203.0.113.7'],
    [true, '192.0.2.1', '[2001:db8::7]:4711', '2001:db8::7'],
    [true, '192.0.2.1', '[2001:db8::7]', '2001:db8::7'],
  ])('with TRUST_PROXY %j, called from %s, forwarded for %j, is %s', (trustProxy, remote, forwardedFor, address) => {
    expect(read(trustProxy, remote, forwardedFor)).toBe(address);
  });

  it.each([
    ['entries', (count: number) => '1.1.1.1,'.repeat(count)],
    ['parts of one entry', (count: number) => `[${'1:'.repeat(4 * count)}`],
  ])('takes no more than its share of time to find in a trail of many %s', async (_what, trail) => {
    const time = (count: number) =>
      cpuTime(async () => {
        for (let round = 0; round < 50; round += 1) read(true, '192.0.2.1', trail(count));
      });
    // Eight times as long; 64 times the work if each entry looked at all others.
    expect(await time(4_000)).toBeLessThan(30 * (await time(500)) + 1_000);
  });
});
