// `npm run bench:page`: how long after a mutation a page in Chromium has painted the change.
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { build } from 'esbuild';
import { mintToken } from '../../dist/auth/token.js';
import { launchBrowser } from '../../test/support/browser.js';
import { startNode } from '../live/processes.js';
import { createAdmin } from '../support/admin.js';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 50);
const warmUp = 5;

const secret = randomBytes(32).toString('hex');
const token = await mintToken(new TextEncoder().encode(secret), { role: 'ADMIN', expiresInSeconds: 86_400 });

/** The page itself sends the mutation, so that one clock measures both ends. */
const contents = `
  import { createClient } from '@halyard/client';
  import { HalyardProvider, useFeature } from '@halyard/client/react';
  import { createElement } from 'react';
  import { createRoot } from 'react-dom/client';

  const client = createClient({ url: location.origin, storage: null });
  const element = document.body.appendChild(document.createElement('main'));
  const Page = () => createElement('p', null, useFeature('measured') ? 'on' : 'off');
  createRoot(element).render(createElement(HalyardProvider, { client }, createElement(Page)));

  globalThis.flip = async (enabled, token) => {
    const painted = new Promise(resolve => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        // What follows the next frame's callbacks comes after its paint.
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
      });
      observer.observe(element, { subtree: true, childList: true, characterData: true });
    });
    const query = 'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { __typename ... on Error { message } } }';
    const sent = performance.now();
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer ' + token },
      body: JSON.stringify({ query, variables: { i: { key: 'measured', enabled } } }),
    });
    await response.text();
    const answered = performance.now();
    const seen = await painted;
    return [seen - sent, Math.max(0, seen - answered)];
  };
  globalThis.isLive = () => client.status === 'live';`;

const { outputFiles } = await build({
  stdin: { contents, resolveDir: process.cwd() },
  bundle: true,
  write: false,
  format: 'iife',
  define: { 'process.env.NODE_ENV': '"production"' },
});

function row(name: string, times: readonly number[]): string {
  const sorted = times.slice(warmUp).sort((a, b) => a - b);
  const at = (q: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN).toFixed(1);
  return `| ${name} | ${sorted.length} | ${at(0.5)} | ${at(0.95)} | ${at(1)} |`;
}

const server = await startNode({
  FEATURE_BACKEND: 'memory',
  PORT: '0',
  AUTH_JWT_SECRET: secret,
  NODE_ENV: 'production',
});
const browser = await launchBrowser();
try {
  await createAdmin(token)(
    server.url,
    'mutation { createFlag(input: { key: "measured", name: "Measured" }) { __typename ... on Error { code } } }',
  );
  const page = await browser.newPage();
  await page.route('**/page', route => route.fulfill({ contentType: 'text/html', body: '<body></body>' }));
  await page.goto(`${server.url}/page`);
  await page.addScriptTag({ content: outputFiles[0]?.text ?? '' });
  await page.waitForFunction('isLive()');
  const times: [number, number][] = [];
  for (let round = 0; round < rounds + warmUp; round += 1) {
    times.push(await page.evaluate<[number, number]>(`flip(${round % 2 === 0}, '${token}')`));
  }
  console.log('# From a mutation to the paint of a page\n');
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, Chromium ${browser.version()}.\n`);
  console.log('| to the paint, from | flips | median ms | p95 ms | max ms |');
  console.log('|---|---|---|---|---|');
  console.log(
    row(
      'the mutation was sent',
      times.map(([sent]) => sent),
    ),
  );
  console.log(
    row(
      'its answer came (0: painted before)',
      times.map(([, answered]) => answered),
    ),
  );
} finally {
  await browser.close();
  await server.stop();
}
