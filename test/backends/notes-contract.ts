import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { until } from '../support/wait.js';

/** The sentences about notes of nodes in src/backends/backend.ts. */
export function describeNotes(of: () => { readonly backend: Backend }): void {
  describe('notes of nodes', () => {
    const note = (node: string, asks: object | null, answer: object | null) =>
      ({ node, asks, answer }) as Parameters<Backend['exchangeNotes']>[0];
    const silent = (node: string) => note(node, null, null);

    it('are those of the others, each the last one of its node, until they are taken away', async () => {
      const { backend } = of();
      const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()].sort() as [string, string, string];
      expect(await backend.exchangeNotes(note(a, { revisions: [1] }, null), false)).toEqual([]);
      expect(await backend.exchangeNotes(note(b, null, { n: 1.5, list: ['ü'] }), false)).toEqual([
        note(a, { revisions: [1] }, null),
      ]);
      await backend.exchangeNotes(note(b, { x: null }, { n: 2 }), false);
      expect(await backend.exchangeNotes(silent(c), false)).toEqual([
        note(a, { revisions: [1] }, null),
        note(b, { x: null }, { n: 2 }),
      ]);
      expect(await backend.exchangeNotes(null, true)).toHaveLength(2);
      expect(await backend.exchangeNotes(silent(b), false)).toEqual([note(a, { revisions: [1] }, null)]);
      expect(await backend.exchangeNotes(silent(a), false)).toEqual([]);
    });

    it('are no change', async () => {
      const { backend } = of();
      const before = await backend.definitions();
      const node = randomUUID();
      await backend.exchangeNotes(note(node, {}, {}), true);
      await backend.exchangeNotes(silent(node), false);
      expect(await backend.definitions()).toEqual(before);
    });

    it('that are news wake whoever listens', async () => {
      const { backend } = of();
      const [node, heard] = [randomUUID(), [] as string[]];
      const stops = ['first', 'second'].map(name => backend.onNotes(() => void heard.push(name)));
      await until(async () => {
        await backend.exchangeNotes(note(node, {}, null), true);
        return heard.includes('first') && heard.includes('second');
      }, 'both have heard');
      stops[0]?.();
      heard.length = 0;
      await until(async () => {
        await backend.exchangeNotes(note(node, {}, null), true);
        return heard.includes('second');
      }, 'the other one has heard again');
      expect(heard).not.toContain('first');
      stops[1]?.();
      await backend.exchangeNotes(silent(node), false);
    });

    it('of many nodes at once are all there', async () => {
      const { backend } = of();
      const nodes = Array.from({ length: 20 }, () => randomUUID());
      await Promise.all(nodes.map(node => backend.exchangeNotes(note(node, null, { node }), false)));
      const found = await backend.exchangeNotes(silent(randomUUID()), false);
      expect(new Set(found.map(({ answer }) => answer?.['node']))).toEqual(new Set(nodes));
      await Promise.all(nodes.map(node => backend.exchangeNotes(silent(node), false)));
      expect(await backend.exchangeNotes(silent(randomUUID()), false)).toEqual([]);
    });
  });
}
