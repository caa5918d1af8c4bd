import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HttpResponse } from './http/http-response.js';
import { Intake } from './http/intake.js';
import { HttpRequest, pathOf } from './http/request.js';
import type { Route } from './http/route.js';
import { Schedule } from './http/schedule.js';
import { Turns } from './http/turns.js';
import type { UnsentBytes } from './http/unsent-bytes.js';

/** Serves the operator endpoints, and nothing else, on a port of its own. */
export interface OperatorListener {
  /** Rejects with the error of the operating system when it cannot listen. */
  start(): Promise<number>;
  close(): Promise<void>;
}

export interface OperatorListenerOptions {
  readonly routes: readonly Route[];
  readonly host: string;
  readonly port: number;
  readonly unsent: UnsentBytes;
  /** Milliseconds in which a reader must take some of an answer. */
  readonly patience: number;
  /** Told of the error when a request could not be answered. */
  readonly onError: (error: unknown) => void;
}

/** Connections at a time: operators are few, and their requests are short. */
const maxOperatorConnections = 1_000;
const timeouts = { headersTimeout: 20_000, requestTimeout: 20_000, connectionsCheckingInterval: 5_000 };

export function createOperatorListener({
  routes,
  host,
  port,
  unsent,
  patience,
  onError,
}: OperatorListenerOptions): OperatorListener {
  const unsentPolicy = { unsent, patience, onCut: () => {} };
  const options = { IncomingMessage: HttpRequest, ServerResponse: HttpResponse, ...timeouts };
  const schedule = new Schedule();
  const turns = new Turns(schedule);
  const intake = new Intake(schedule);
  const server = createServer(options, (request, response) => {
    const { socket } = request;
    intake.receive(request);
    if (!socket.destroyed && !turns.run(socket, () => answer(request, response))) socket.destroy();
  });
  server.on('connection', (socket: Socket) => intake.add(socket));
  server.on('checkExpectation', ({ socket }) => socket.destroy());

  async function answer(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void> {
    response.charge(request.socket.remoteAddress ?? '', unsentPolicy);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const route = routes.find(({ path }) => path === pathOf(request));
    if (!isRead || route?.caller !== 'operator') {
      response.writeHead(404).end();
      return;
    }
    try {
      await route.handle({ response });
    } catch (error) {
      onError(error);
      response.writeHead(500).end();
    }
  }

  server.maxConnections = maxOperatorConnections;
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
