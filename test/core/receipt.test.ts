import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Latencies } from '../../src/core/latencies.js';
import {
  allAsks,
  answerFromJson,
  answerToJson,
  asksFromJson,
  asksToJson,
  isCovered,
  type NodeAnswer,
  nothingAsked,
  sumOfAudiences,
  sumOfReceipts,
} from '../../src/core/receipt.js';

describe('latencies', () => {
  it('tell the time within which a part of all was done, a fifth too much at most', () => {
    const times = fc.array(fc.double({ min: 0.25, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(times, fc.constantFrom(0.01, 0.5, 0.99, 1), (list, part) => {
        const latencies = new Latencies();
        for (const time of list) latencies.add(time);
        const exact = list.toSorted((a, b) => a - b)[Math.ceil(part * list.length) - 1] as number;
        const told = latencies.quantile(part) as number;
        // Three digits are told.
        expect(told).toBeGreaterThanOrEqual(exact * 0.995);
        expect(told).toBeLessThanOrEqual(exact * 1.2);
      }),
    );
  });

  it('are null where there are none, and hold what is shorter and longer than any bucket', () => {
    const latencies = new Latencies();
    expect(latencies.quantile(0.5)).toBeNull();
    for (const time of [0, -1, 1e9]) latencies.add(time);
    expect(latencies.quantile(0.5)).toBe(0.25);
    expect(latencies.quantile(1)).toBe(65_500);
  });

  it('of several processes add up to those of one', () => {
    const [a, b, all] = [new Latencies(), new Latencies(), new Latencies()];
    for (let n = 0; n < 1_000; n += 1) {
      (n % 3 === 0 ? a : b).add(n);
      all.add(n);
    }
    const sum = new Latencies();
    sum.addAll(a.counts);
    sum.addAll(b.counts);
    expect(sum.counts).toEqual(all.counts);
    sum.addAll([
      [-1, 5],
      [1_000, 5],
      [3, -5],
      [3, 0.5],
      [Number.NaN, 1],
    ]);
    expect(sum.counts).toEqual(all.counts);
  });
});

const answer: NodeAnswer = {
  revision: 12,
  receipts: new Map([
    [11, { affected: 3, handed: 2, behind: 1, latencies: [[4, 2]] }],
    [12, { affected: 0, handed: 0, behind: 0, latencies: [] }],
  ]),
  audience: new Map([['a', { viewers: 3, on: 2, behind: 0, variants: { on: 2, off: 1 } }]]),
};

describe('what nodes say', () => {
  it('comes as it was said', () => {
    expect(answerFromJson(answerToJson(answer))).toEqual(answer);
    for (const asks of [nothingAsked, { revisions: [1, 2], audience: ['a'] }, { revisions: [], audience: null }]) {
      expect(asksFromJson(asksToJson(asks))).toEqual(asks);
    }
  });

  it('in another way, by a node of another version, counts as nothing said', () => {
    expect(answerFromJson(null)).toBeNull();
    expect(answerFromJson({ revision: 'x' })).toBeNull();
    expect(answerFromJson({ revision: 1, receipts: [], audience: { a: 3 } })).toEqual({
      revision: 1,
      receipts: new Map(),
      audience: new Map([['a', { viewers: 0, on: 0, behind: 0, variants: {} }]]),
    });
    expect(asksFromJson({ revisions: 'all', audience: [1, 'a'] })).toEqual({ revisions: [], audience: ['a'] });
    expect(asksFromJson({})).toEqual(nothingAsked);
    expect(asksFromJson(null)).toEqual(nothingAsked);
  });

  it('adds up', () => {
    const other = { affected: 5, handed: 5, behind: 0, latencies: [[8, 5] as const] };
    expect(sumOfReceipts([answer.receipts.get(11), undefined, other])).toEqual({
      ...{ affected: 8, handed: 7, behind: 1 },
      p50: 1,
      p99: 1,
    });
    const here = answer.audience.get('a');
    expect(sumOfAudiences('a', [here, undefined, { viewers: 1, on: 1, behind: 1, variants: { gone: 1 } }])).toEqual({
      ...{ key: 'a', viewers: 4, on: 3, behind: 1 },
      variants: { gone: 1, off: 1, on: 2 },
    });
  });
});

describe('what nodes ask', () => {
  it('is asked once, and everything includes each part', () => {
    const [a, b, all] = [
      { revisions: [1, 2], audience: ['a'] },
      { revisions: [2], audience: ['b', 'a'] },
      { revisions: [], audience: null },
    ];
    expect(allAsks([a, b])).toEqual({ revisions: [1, 2], audience: ['a', 'b'] });
    expect(allAsks([a, all])).toEqual({ revisions: [1, 2], audience: null });
    expect(allAsks([])).toEqual(nothingAsked);
    expect(isCovered(a, allAsks([a, b]))).toBe(true);
    expect(isCovered({ revisions: [], audience: ['z'] }, all)).toBe(true);
    expect(isCovered(all, allAsks([a, b]))).toBe(false);
    expect(isCovered({ revisions: [3], audience: [] }, a)).toBe(false);
    expect(isCovered({ revisions: [], audience: ['b'] }, a)).toBe(false);
    expect(isCovered(nothingAsked, nothingAsked)).toBe(true);
  });
});
