import { setTimeout as sleep } from 'node:timers/promises';
import { report, runSoak, type SoakSample } from '../test/chaos/soak.js';

// A day's worth of changes, joins and leaves in minutes (SOAK_MINUTES, 10 unless said). Fails when the heap of the node
// grows by more than a megabyte a minute over the second half, or its handles are not what they were.

const minutes = Number(process.env['SOAK_MINUTES'] ?? 10);
const columns = ['minute', 'heap MB', 'RSS MB', 'handles', 'subscribers', 'revision', 'joins', 'updates'];

function line(cells: readonly (string | number)[]): void {
  console.log(cells.map(cell => String(cell).padStart(12)).join(''));
}

line(columns);
const result = await runSoak({
  minutes,
  viewers: 100,
  sampleEvery: Math.min(15_000, minutes * 3_000),
  onSample: ({ minute, heapUsed, rss, handles, subscribers, revision, joins, updates }: SoakSample) =>
    line([
      minute.toFixed(2),
      (heapUsed / 2 ** 20).toFixed(2),
      (rss / 2 ** 20).toFixed(1),
      Object.values(handles).reduce((sum, count) => sum + count, 0),
      subscribers,
      revision,
      joins,
      updates,
    ]),
});
await sleep(0);
console.log(report(result));
process.exitCode = result.isFlat ? 0 : 1;
