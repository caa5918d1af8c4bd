import { cpus, totalmem } from 'node:os';
import { markdownTable } from '../support/markdown-table.js';
import { names } from './contestants.js';
import type { Result, Round } from './measure.js';

export function machine(postgresVersion: string): string {
  const [processor] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processor?.model.trim()}, ${cpus().length} cores, ${memory} GiB, Node ${process.version}, PostgreSQL ${postgresVersion}`;
}

export function median({ rounds }: Result, field: keyof Round): number {
  const sorted = rounds.map(round => round[field]).sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

function spread({ rounds }: Result, field: keyof Round, digits: number): string {
  const values = rounds.map(round => round[field]);
  return `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;
}

const percent = (share: number) => `${(share * 100).toFixed(0)} %`;

export function resultTable(results: readonly Result[]): string {
  return markdownTable([
    ['', 'requests/s', 'spread', 'p50 ms', 'p99 ms', 'spread', 'CPU us a request', "server's main thread", 'RSS MB'],
    ...results.map(result => [
      result.name,
      median(result, 'perSecond').toFixed(0),
      spread(result, 'perSecond', 0),
      median(result, 'p50').toFixed(2),
      median(result, 'p99').toFixed(2),
      spread(result, 'p99', 2),
      median(result, 'cpuPerRequest').toFixed(1),
      percent(median(result, 'serverCpu')),
      (median(result, 'rss') / 1e6).toFixed(0),
    ]),
  ]);
}

interface Target {
  readonly peer: string;
  /** Halyard's requests per second over the peer's, at least. */
  readonly atLeast: number;
  readonly isFasterTail: boolean;
}

const targets: readonly Target[] = [
  { peer: names.node, atLeast: 0.35, isFasterTail: false },
  { peer: names.yoga, atLeast: 4, isFasterTail: true },
  { peer: names.unleash, atLeast: 15, isFasterTail: true },
];

/** Below this share of a core for its main thread, something else than the server held the requests up. */
export const leastServerCpu = 0.8;

/** Says nothing where not every server was the bottleneck: the machine, or the generator, was measured then. */
function verdict(isMet: boolean, ...measured: readonly Result[]): string {
  if (measured.some(result => median(result, 'serverCpu') < leastServerCpu)) return 'not told, too busy a machine';
  return isMet ? 'met' : 'MISSED';
}

/** Halyard's `featureMap` beside each peer that was measured with it; null where there is none. */
export function ratioTable(results: readonly Result[]): string | null {
  const ours = results.find(({ name }) => name === names.map);
  if (ours === undefined) return null;
  const rows = targets.flatMap(({ peer, atLeast, isFasterTail }) => {
    const theirs = results.find(({ name }) => name === peer);
    if (theirs === undefined) return [];
    const ratio = median(ours, 'perSecond') / median(theirs, 'perSecond');
    const byCpu = median(theirs, 'cpuPerRequest') / median(ours, 'cpuPerRequest');
    const [tail, theirTail] = [median(ours, 'p99'), median(theirs, 'p99')];
    return [
      [
        peer,
        `${ratio.toFixed(2)} x`,
        `${byCpu.toFixed(2)} x`,
        `${atLeast} x: ${verdict(ratio >= atLeast, ours, theirs)}`,
        `${tail.toFixed(2)} and ${theirTail.toFixed(2)}`,
        isFasterTail ? verdict(tail <= theirTail, ours, theirs) : '',
      ],
    ];
  });
  if (rows.length === 0) return null;
  const head = ['featureMap beside', 'requests/s', 'by CPU a request', 'at least', 'p99 ms', 'p99 no higher'];
  return markdownTable([head, ...rows]);
}

/** What no kept answer serves, beside what it is to be measured by; null where too little was measured. */
export function firstContactTable(results: readonly Result[]): string | null {
  const [executed, newViewer, yoga, theirs] = [names.executed, names.newViewer, names.yoga, names.unleash].map(wanted =>
    results.find(({ name }) => name === wanted),
  );
  if (executed === undefined || newViewer === undefined || yoga === undefined || theirs === undefined) return null;
  const cpu = (result: Result) => median(result, 'cpuPerRequest');
  const isAtMost = (result: Result, most: number) => (cpu(result) <= most ? 'met' : 'MISSED');
  const ratio = cpu(theirs) / cpu(newViewer);
  const [tail, theirTail] = [median(executed, 'p99'), median(yoga, 'p99')];
  return markdownTable([
    ['', 'measured', 'to be', ''],
    ['executed, CPU us', cpu(executed).toFixed(1), 'at most 120', isAtMost(executed, 120)],
    [
      'executed, p99 ms beside Yoga',
      `${tail.toFixed(2)} and ${theirTail.toFixed(2)}`,
      'no higher',
      verdict(tail <= theirTail, executed, yoga),
    ],
    ['new viewer, CPU us', cpu(newViewer).toFixed(1), 'at most 180', isAtMost(newViewer, 180)],
    [
      'new viewer beside unleash-server, by CPU',
      `${ratio.toFixed(2)} x cheaper`,
      'at least 7 x',
      ratio >= 7 ? 'met' : 'MISSED',
    ],
  ]);
}

/** Whether the thousand viewers are answered as fast among many stored users as among few. */
export function growthVerdict(results: readonly Result[]): string | null {
  const same = results.filter(({ name }) => name.endsWith('the same 1,000 ask'));
  const [few, many] = [same[0], same.at(-1)];
  if (few === undefined || many === undefined || few === many) return null;
  const ratio = median(many, 'perSecond') / median(few, 'perSecond');
  return `${many.name}: ${percent(ratio)} of the requests/s with the fewest (at least 90 %: ${verdict(ratio >= 0.9, few, many)}).`;
}
