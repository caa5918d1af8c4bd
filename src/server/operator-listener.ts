import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpRequest, pathOf } from './http/request.js';
import type { Route } from './http/route.js';
import { HttpResponse } from './http/unsent.js';

/** Serves what operators ask for, and nothing else, on a port of its own. */
export interface OperatorListener {
  /** Rejects with the error of the operating system when it cannot listen. */
  start(): Promise<number>;
  close(): Promise<void>;
}

export interface OperatorListenerOptions {
  readonly routes: readonly Route[];
  readonly host: string;
  readonly port: number;
  /** Told of what could not be answered. */
  readonly onError: (error: unknown) => void;
}

export function createOperatorListener({ routes, host, port, onError }: OperatorListenerOptions): OperatorListener {
  const server = createServer({ IncomingMessage: HttpRequest, ServerResponse: HttpResponse }, (request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const route = routes.find(({ path }) => path === pathOf(request));
    if (!isRead || route?.caller !== 'operator') {
      response.writeHead(404).end();
      return;
    }
    Promise.resolve(route.handle({ response })).catch(error => {
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
