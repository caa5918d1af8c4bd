import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createClient } from '@halyard/client';
import { HalyardProvider } from '@halyard/client/react';
import { build } from 'esbuild';
import { createFeatures, MemoryBackend } from 'halyard';
import { renderToString } from 'react-dom/server';
import { App } from './app.js';

/** The server that the browser follows. */
const url = process.env['HALYARD_URL'] ?? 'http://localhost:4000';

// In place of `databaseUrl`, which follows the same server.
const backend = new MemoryBackend();
backend.seed({ flags: [{ key: 'new_dashboard', enabled: true }] });
const features = await createFeatures({ backend });

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('browser.tsx', import.meta.url))],
  bundle: true,
  write: false,
  format: 'esm',
  jsx: 'automatic',
});
const script = outputFiles[0]?.text ?? '';

async function page(): Promise<string> {
  // `features.for({ id, ...attributes })` for a signed-in user. Then the browser's client also needs a `token`.
  const bootstrap = await features.for(null).snapshot();
  // Without a transport the client answers from the bootstrap and opens no connection.
  const client = createClient({ url, bootstrap, transport: null, storage: null });
  const html = renderToString(
    <HalyardProvider client={client}>
      <App />
    </HalyardProvider>,
  );
  client.close();
  // A value may hold `</script>`.
  const data = JSON.stringify({ url, bootstrap }).replaceAll('<', '\\u003c');
  return `<!doctype html><div id="app">${html}</div>
<script id="halyard" type="application/json">${data}</script>
<script type="module" src="/browser.js"></script>`;
}

const server = createServer((request, response) => {
  if (request.url === '/browser.js') {
    response.setHeader('content-type', 'text/javascript').end(script);
    return;
  }
  page().then(
    html => response.setHeader('content-type', 'text/html').setHeader('cache-control', 'private, no-store').end(html),
    () => response.writeHead(500).end(),
  );
});
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
