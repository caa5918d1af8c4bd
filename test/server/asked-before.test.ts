import { describe, expect, it } from 'vitest';
import { AskedBefore } from '../../src/server/operations/asked-before.js';

const texts = (count: number, name: string) => Array.from({ length: count }, (_, n) => `${name} ${n}`);

describe('texts that came before', () => {
  it('are known from the second time on', () => {
    const before = new AskedBefore();
    expect(['a', 'b', 'a', 'b', 'c', ''].map(text => before.note(text))).toEqual([
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  it('are known in the end, however they come round and round', () => {
    const before = new AskedBefore();
    const unknown = new Set(texts(20_000, 'round'));
    // Whoever is known once is kept, and comes here no more.
    for (let round = 0; round < 20; round += 1) {
      for (const text of [...unknown]) if (before.note(text)) unknown.delete(text);
    }
    expect(unknown.size).toBe(0);
  });

  it('are mostly known after tens of thousands that came once', () => {
    const before = new AskedBefore();
    const known = texts(1_000, 'known');
    for (const text of known) before.note(text);
    for (const text of texts(30_000, 'once')) before.note(text);
    expect(known.filter(text => before.note(text)).length).toBeGreaterThan(700);
  });

  it('are hardly ever taken for others', () => {
    const before = new AskedBefore();
    expect(texts(100_000, 'once').filter(text => before.note(text)).length).toBeLessThan(20);
  });
});
