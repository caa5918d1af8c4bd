// A node under measurement: the product's server in a process of its own, which reports its memory and processor time.
import { Session } from 'node:inspector/promises';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';

// BENCH_DIST: the built files of another commit, for `npm run bench:pairs`.
const dist = pathToFileURL(process.env['BENCH_DIST'] ?? new URL('../../dist', import.meta.url).pathname);
const { readConfig }: typeof import('../../dist/config.js') = await import(`${dist}/config.js`);
const { startServer }: typeof import('../../dist/server/index.js') = await import(`${dist}/server/index.js`);

const server = await startServer(readConfig(process.env), { log: pino({ level: 'warn' }) });

const session = new Session();

process.on('message', async message => {
  if (message === 'memory') {
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    process.send?.({ heapUsed, rss, cpu: user + system });
  }
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send?.({ heapUsed: 0, rss: 0, cpu: user + system });
  }
  if (message === 'profile') {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    process.send?.({});
  }
  if (message === 'profiled') {
    process.send?.(await session.post('Profiler.stop'));
    session.disconnect();
  }
  if (message === 'stop') {
    await server.close();
    process.exit(0);
  }
});
process.send?.({ url: server.url });
