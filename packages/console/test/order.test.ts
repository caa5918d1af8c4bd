import { describe, expect, it } from 'vitest';
import type { ListedFlag } from '../src/screens/flags/documents.js';
import type { ListFilter } from '../src/screens/flags/filter.js';
import { newcomers, noOrder, ordered } from '../src/screens/flags/order.js';

const all: ListFilter = { search: '', state: null, tag: null, owner: null, group: null };
const flag = (id: string, more: Partial<ListedFlag> = {}) =>
  ({ id, name: id, enabled: true, tags: [], owner: null, ...more }) as unknown as ListedFlag;
const flags = (ids: string) => [...ids].map(id => flag(id));
const first = (ids: string, hasMore = false, filter = all) => ordered(noOrder, flags(ids), hasMore, filter).order;
const told = ({ order, gone, changed }: ReturnType<typeof ordered>) => [
  order.ids.join(''),
  [...gone].join(''),
  changed,
];

describe('the order of the rows', () => {
  it.each([
    ['what continues the list is appended', 'abc', 'abcde', ['abcde', '', 0]],
    ['a flag between others waits', 'abc', 'abxc', ['abc', '', 1]],
    ['a flag before all waits, and later pages are appended', 'abc', 'xabcde', ['abcde', '', 1]],
    ['a flag that is gone keeps its row', 'abc', 'ac', ['abc', 'b', 1]],
    ['a list whose flags are all gone keeps its rows', 'abc', '', ['abc', 'abc', 3]],
  ])('%s', (_, before, after, expected) => {
    expect(told(ordered(first(before), flags(after), false, all))).toEqual(expected);
  });

  it('a flag that was pushed to a page that nobody has asked for is not gone', () => {
    expect(told(ordered(first('abc', true), flags('xab'), true, all))).toEqual(['abc', '', 1]);
    expect(told(ordered(first('abc', true), flags('acd'), true, all))).toEqual(['abcd', 'b', 1]);
  });

  it('a flag that has another name is counted, wherever the server has put it', () => {
    const renamed = flag('a', { name: 'z' });
    expect(told(ordered(first('abc'), [renamed, ...flags('bc')], false, all))).toEqual(['abc', '', 1]);
    expect(told(ordered(first('abc', true), [...flags('bcd'), renamed, ...flags('e')], true, all))).toEqual([
      'abcde',
      '',
      1,
    ]);
  });

  it('a flag that matches no longer keeps its row until the reader asks', () => {
    const filter = { ...all, state: 'on' } as const;
    const off = flag('b', { enabled: false });
    expect(told(ordered(first('abc', false, filter), [flag('a'), off, flag('c')], false, filter))).toEqual([
      'abc',
      '',
      1,
    ]);
  });
});

describe('flags that begin to match', () => {
  it.each([
    ['are told where they stand between rows', 'abc', 'axbc', true, 'x'],
    ['are told after the last row where nothing follows', 'abc', 'abcx', true, 'x'],
    ['are not told after the last row where a page follows, which has them', 'abc', 'axbcyz', false, 'x'],
    ['are told where there is no row', '', 'xy', true, 'xy'],
    ['are none where flags match no longer', 'abc', 'ac', true, ''],
  ])('%s', (_, rows, matching, isAll, expected) => {
    expect(newcomers(new Set(rows), [...matching], isAll).join('')).toBe(expected);
  });
});
