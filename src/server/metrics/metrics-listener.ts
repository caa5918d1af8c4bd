import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export const metricsPath = '/metrics';

/** Answers a scrape. Rejects when a metric cannot be read. */
export async function sendMetrics(registry: Registry, response: ServerResponse): Promise<void> {
  const text = await registry.metrics();
  response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

/** Serves the metrics, and nothing else, on a port of their own. */
export interface MetricsListener {
  /** Rejects with the error of the operating system when it cannot listen. */
  start(): Promise<number>;
  close(): Promise<void>;
}

/** @param onError told of what could not be answered. */
export function createMetricsListener(
  { registry, host, port }: { readonly registry: Registry; readonly host: string; readonly port: number },
  onError: (error: unknown) => void,
): MetricsListener {
  const server = createServer((request, response) => {
    const isScrape = request.url?.split('?', 1)[0] === metricsPath && /^(GET|HEAD)$/.test(request.method ?? '');
    if (!isScrape) return void response.writeHead(404).end();
    sendMetrics(registry, response).catch(error => {
      onError(error);
      response.writeHead(500).end();
    });
  });
  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject).on('error', onError);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
