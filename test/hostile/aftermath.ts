import type { Sample } from '../chaos/node-process.js';

/** How much the heap may have grown: a tenth and three megabytes. */
export const allowedHeap = (baseline: number) => baseline * 1.1 + 3e6;

/**
 * What is left when all hostile clients have gone, in comparison with the moment before they came, each in a few words.
 * @param heapUsed bytes of heap that there may be; null: any.
 */
export function leftOver(before: Sample, now: Sample, heapUsed: number | null): string[] {
  const wrong: string[] = [];
  const compare = (what: string, count: number, right: number, isExact = true) => {
    if (isExact ? count !== right : count > right) wrong.push(`${what} ${count} instead of ${right}`);
  };
  compare('subscribers', now.subscribers, before.subscribers);
  // Handles that there were no more than by chance, such as those of a write, may be gone.
  for (const kind of kinds(now.handles)) compare(kind, now.handles[kind] ?? 0, before.handles[kind] ?? 0, false);
  for (const count of kinds(now.load ?? {})) {
    // Honest viewers who were cut come back with another variable, which takes more; in the end there is none of it.
    if (count !== 'keptBytes') compare(`load.${count}`, now.load?.[count] ?? 0, before.load?.[count] ?? 0);
  }
  if (heapUsed !== null && now.heapUsed > heapUsed) {
    wrong.push(`heap ${megabytes(now.heapUsed)} instead of at most ${megabytes(heapUsed)}`);
  }
  return wrong;
}

/** The same when the honest viewers have gone too: nothing is left to count. */
export function leftInTheEnd(now: Sample): string[] {
  const counts = { subscribers: now.subscribers, connections: now.handles['TCPSocketWrap'] ?? 0, ...now.load };
  return Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${what} ${count} instead of 0`]));
}

export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

const kinds = (counts: Readonly<Record<string, number>>) => Object.keys(counts).sort();
