import { pulled } from '../streams/pulled.js';
import { type FlagChange, merged } from './flag-change.js';
import type { Replica } from './replica.js';

/**
 * Delivers each change of a flag, in the order of revisions. A slow subscriber gets only the last change of each flag, so
 * that no more changes wait for a subscriber than there are flags.
 */
export class FlagChangeFeed {
  readonly #replica: Replica;
  readonly #ends = new Set<() => void>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  subscribe(): AsyncIterableIterator<FlagChange> {
    const waiting = new Map<string, FlagChange>();
    const pulls: ((result: IteratorResult<FlagChange>) => void)[] = [];
    let isEnded = false;

    const handOver = () => {
      for (const [key, change] of waiting) {
        const pull = pulls.shift();
        if (pull === undefined) return;
        waiting.delete(key);
        pull({ done: false, value: change });
      }
    };
    const stopListening = this.#replica.onApplied(({ flags }) => {
      for (const [key, change] of flags) {
        const earlier = waiting.get(key);
        // Deleted first, so that the map's order is the order of the last changes.
        waiting.delete(key);
        waiting.set(key, merged(earlier, change));
      }
      handOver();
    });
    const end = () => {
      isEnded = true;
      stopListening();
      this.#ends.delete(end);
      for (const pull of pulls.splice(0)) pull({ done: true, value: undefined });
    };
    this.#ends.add(end);

    const next = () =>
      new Promise<IteratorResult<FlagChange>>(resolve => {
        if (isEnded) return resolve({ done: true, value: undefined });
        pulls.push(resolve);
        handOver();
      });
    return pulled(next, end);
  }

  close(): void {
    for (const end of [...this.#ends]) end();
  }
}
