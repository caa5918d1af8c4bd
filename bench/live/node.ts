// A node under measurement: the product's server in a process of its own, which says how much memory it holds.
import { pino } from 'pino';
import { readConfig } from '../../dist/config.js';
import { startServer } from '../../dist/server/index.js';

const server = await startServer(readConfig(process.env), { log: pino({ level: 'warn' }) });

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
  if (message === 'stop') {
    await server.close();
    process.exit(0);
  }
});
process.send?.({ url: server.url });
