import type { Backend, Change } from '../../src/backends/backend.js';

/** The change log after a revision to its end, page by page. */
export async function readLog(backend: Backend, after = 0): Promise<Change[]> {
  const log: Change[] = [];
  for (let place = after; ; place = log.at(-1)?.revision ?? after) {
    const { changes } = await backend.changes(place, 1_000);
    if (changes.length === 0) return log;
    log.push(...changes);
  }
}
