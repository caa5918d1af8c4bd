import { pino } from 'pino';
import { openDatabase } from '../../src/backends/database.js';
import { readConfig } from '../../src/config.js';
import { startServer } from '../../src/server/index.js';
import type { NodeMessage, NodeQuestion, NodeSettings, Sample } from './node-process.js';
import { never, openSabotaged } from './sabotage.js';

// One node in a process of its own, as `halyard serve` is: its settings come from the environment. Beyond that it tells
// its parent where it listens and, when asked, what it holds; and it can be started with a promise broken.

const settings = JSON.parse(process.env['CHAOS_NODE'] ?? '{}') as NodeSettings;
const config = readConfig(process.env);
const log = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));

let queries = 0;
async function openGiven() {
  if (config.database.kind !== 'postgres') throw new Error('A node of this harness works on PostgreSQL.');
  const { url } = config.database;
  if (settings.sabotage !== undefined) return openSabotaged(url, settings.sabotage, log);
  const database = await openDatabase({ url, log, reportsQueries: true });
  database.onQuery(() => {
    queries += 1;
  });
  return database;
}

const pollInterval = settings.sabotage === 'poll' ? never : settings.pollInterval;
const server = await startServer(config, {
  log,
  ...(settings.sabotage === undefined && settings.countQueries !== true ? {} : { database: await openGiven() }),
  ...(settings.limits === undefined ? {} : { limits: settings.limits }),
  ...(pollInterval === undefined ? {} : { pollInterval }),
});

function tell(message: NodeMessage): void {
  process.send?.(message);
}

const loads = [
  ...['connections', 'sockets', 'streams', 'live', 'requests', 'addresses'],
  ...['unsentBytes', 'unfinishedBytes', 'keptBytes', 'deadlines'],
];

/** Whichever of these counts the server keeps. */
function loadOf(running: object): Sample['load'] {
  const load: unknown = 'load' in running ? running.load : null;
  if (typeof load !== 'object' || load === null) return null;
  const counts = loads.map(name => [name, (load as Record<string, unknown>)[name]] as const);
  return Object.fromEntries(counts.filter((count): count is [string, number] => typeof count[1] === 'number'));
}

async function sample(what: NodeQuestion['what']): Promise<Sample> {
  // What has just been let go of may be freed a turn or two later.
  for (let turn = 0; what === 'everything' && turn < 3; turn += 1) {
    await new Promise(resolve => setTimeout(resolve, 20));
    globalThis.gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const handles: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) handles[name] = (handles[name] ?? 0) + 1;
  const { subscribers, revision } = server.service.status;
  return { heapUsed, external, rss, handles, subscribers, load: loadOf(server), revision, queries };
}

process.on('message', ({ id, what }: NodeQuestion) => void sample(what).then(taken => tell({ id, sample: taken })));
process.once('SIGTERM', () => void server.close().finally(() => process.exit(0)));
// Nobody is left to stop it.
process.once('disconnect', () => process.exit(0));

tell({ url: server.url });
