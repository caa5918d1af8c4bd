import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { pathOf } from '../http/request.js';

export const metricsPath = '/metrics';

/** Answers a scrape. Rejects when a metric cannot be read. */
export async function sendMetrics(registry: Registry, response: ServerResponse): Promise<void> {
  const text = await registry.metrics();
  response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

/** Serves what operators ask for, and nothing else, on a port of its own. */
export interface MetricsListener {
  /** Rejects with the error of the operating system when it cannot listen. */
  start(): Promise<number>;
  close(): Promise<void>;
}

export interface MetricsListenerOptions {
  /** Answers a GET or HEAD of this path, also where nothing is there. */
  readonly answer: (path: string, response: ServerResponse) => Promise<void>;
  readonly host: string;
  readonly port: number;
  /** Told of what could not be answered. */
  readonly onError: (error: unknown) => void;
}

export function createMetricsListener({ answer, host, port, onError }: MetricsListenerOptions): MetricsListener {
  const notFound = (response: ServerResponse) => void response.writeHead(404).end();
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return notFound(response);
    answer(pathOf(request), response).catch(error => {
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
