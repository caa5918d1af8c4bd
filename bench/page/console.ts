// `npm run bench:console`: how long the console takes to show its list, and what a key in its search costs.
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { launchBrowser } from '../../test/support/browser.js';
import { mixedFlags } from '../http/flags.js';
import { sign } from '../http/tokens.js';
import { startNode } from '../live/processes.js';
import { createAdmin } from '../support/admin.js';
import { markdownTable } from '../support/markdown-table.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, flags: { type: 'string', default: '1000' } },
});

const secret = randomBytes(32).toString('hex');
const token = sign(secret, { role: 'admin', sub: 'kim@example.com' });

/** In the page, before anything of it: when its first flag was painted, and how long each key took to its paint. */
const watch = `
  sessionStorage.setItem('halyard.credential', ${JSON.stringify(token)});
  globalThis.shown = new Promise(resolve => {
    const look = () => {
      if (document.querySelector('[role=row][aria-rowindex="2"]') === null) return requestAnimationFrame(look);
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    };
    requestAnimationFrame(look);
  });
  globalThis.keys = [];
  addEventListener('keydown', ({ timeStamp }) => {
    requestAnimationFrame(() => setTimeout(() => keys.push(performance.now() - timeStamp)));
  }, true);`;

const server = await startNode({
  FEATURE_BACKEND: 'memory',
  PORT: '0',
  AUTH_JWT_SECRET: secret,
  NODE_ENV: 'production',
});
const browser = await launchBrowser();
try {
  const admin = createAdmin(token);
  const created = 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { __typename ... on Error { code } } }';
  for (const { definition } of mixedFlags(Number(values.flags))) {
    const { key, enabled, percentage, conditions } = definition;
    await admin(server.url, created, { i: { name: key, key, enabled, percentage, conditions } });
  }
  const contentful: number[] = [];
  const shown: number[] = [];
  const keys: number[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    // With a cache of its own.
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(watch);
    await page.goto(`${server.url}/console/`);
    shown.push(await page.evaluate<number>('shown'));
    contentful.push(await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime"));
    await page.keyboard.press('/');
    for (const letter of 'flag_500 rollout') {
      await sleep(80);
      await page.keyboard.press(letter === ' ' ? 'Backspace' : letter);
    }
    await sleep(300);
    keys.push(...(await page.evaluate<number[]>('keys.slice(1)')));
    await context.close();
  }
  console.log(`# The console with ${values.flags} flags\n`);
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, Chromium ${browser.version()}.\n`);
  const row = (name: string, times: readonly number[]) => {
    const sorted = [...times].sort((a, b) => a - b);
    const at = (q: number) => (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(0);
    return [name, String(times.length), at(0.5), at(0.95), at(1)];
  };
  console.log(
    markdownTable([
      ['milliseconds', 'times', 'median', 'p95', 'max'],
      row('cold cache, to the first paint with content', contentful),
      row('cold cache, to the paint of the flags', shown),
      row('a key in the search, to its paint', keys),
    ]),
  );
} finally {
  await browser.close();
  await server.stop();
}
