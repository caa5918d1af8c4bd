import { type Client, createClient, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Mailbox } from './mailbox.js';

type Variables = Record<string, unknown>;

/** An answer as it came over the wire. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
export interface GraphQLAnswer<T = any> {
  readonly data?: T;
  readonly errors?: readonly WireError[];
}

export interface WireError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly locations?: readonly { line: number; column: number }[];
  readonly extensions?: { readonly code?: string; readonly [name: string]: unknown };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: GraphQLAnswer;
}

export interface HttpClient {
  /** POSTs an operation; resolves whatever the status. */
  query(query: string, variables?: Variables, headers?: Record<string, string>): Promise<HttpAnswer>;
}

/** GraphQL over HTTP. `url` is the server's, without a path. */
export function httpClient(url: string, token?: string): HttpClient {
  return {
    async query(query, variables, headers = {}) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...bearer(token), ...headers },
        body: JSON.stringify({ query, variables }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
    },
  };
}

/** Results of one operation, in order, none lost. */
export interface ResultStream extends AsyncDisposable {
  /** How many results have arrived and were not asked for yet. */
  readonly size: number;
  /** The next result; errors that ended the operation count as one. Rejects when it has ended, or nothing comes in time. */
  next(timeoutMs?: number): Promise<GraphQLAnswer>;
  /** Resolves when the server or the connection has ended it. */
  readonly ended: Promise<void>;
  /** Ends it from this side. */
  stop(): Promise<void>;
}

export interface WsClient extends AsyncDisposable {
  /** The underlying socket; resolves when it is acknowledged, rejects when it is refused. */
  readonly connected: Promise<WebSocket>;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  subscribe(query: string, variables?: Variables): ResultStream;
  /** Runs a query or a mutation over the socket. */
  query(query: string, variables?: Variables): Promise<GraphQLAnswer>;
  close(): Promise<void>;
}

/** GraphQL over one WebSocket, connected at once and never again. */
export function wsClient(
  url: string,
  { token, origin, device }: { token?: string; origin?: string; device?: string } = {},
): WsClient {
  let socket: WebSocket;
  class Socket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, origin === undefined ? {} : { origin });
      socket = this;
      this.on('error', () => {});
      this.on('close', (code, reason) => closed({ code, reason: String(reason) }));
    }
  }
  let closed: (event: { code: number; reason: string }) => void;
  const whenClosed = new Promise<{ code: number; reason: string }>(resolve => {
    closed = resolve;
  });
  const connectionParams = { ...bearer(token), ...(device === undefined ? {} : { device }) };
  let client: Client;
  const connected = new Promise<WebSocket>((resolve, reject) => {
    client = createClient({
      url: `${url.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: Socket,
      lazy: false,
      retryAttempts: 0,
      connectionParams,
      onNonLazyError: () => {},
      on: { connected: () => resolve(socket) },
    });
    whenClosed.then(({ code, reason }) => reject(new Error(`The socket closed with ${code} ${reason}`)));
  });
  connected.catch(() => {});

  const self: WsClient = {
    connected,
    closed: whenClosed,
    subscribe(query, variables) {
      const payload: SubscribePayload = { query, ...(variables === undefined ? {} : { variables }) };
      const mailbox = new Mailbox<GraphQLAnswer>();
      let done: () => void;
      const ended = new Promise<void>(resolve => {
        done = resolve;
      });
      const end = (reason: string) => {
        mailbox.end(new Error(reason));
        done();
      };
      const unsubscribe = client.subscribe(payload, {
        next: result => mailbox.push(result as GraphQLAnswer),
        error: error => {
          if (Array.isArray(error)) mailbox.push({ errors: error });
          const { code, reason } = error as { code?: number; reason?: string };
          end(code === undefined ? 'The operation ended with errors.' : `The socket closed with ${code} ${reason}`);
        },
        complete: () => end('The operation is complete.'),
      });
      return resultStream(mailbox, ended, async () => unsubscribe());
    },
    async query(query, variables) {
      await using stream = self.subscribe(query, variables);
      return await stream.next();
    },
    async close() {
      await client.dispose();
      if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
      await whenClosed;
    },
    [Symbol.asyncDispose]: () => self.close(),
  };
  return self;
}

export interface SseStream extends ResultStream {
  readonly status: number;
  readonly headers: Headers;
  /** Everything that has come over the wire so far, pings included. */
  readonly raw: string;
}

/** One operation over server-sent events. Resolves when the headers have come, whatever the status. */
export async function sseClient(
  url: string,
  query: string,
  { token, variables, headers = {} }: { token?: string; variables?: Variables; headers?: Record<string, string> } = {},
): Promise<SseStream> {
  const abort = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...bearer(token), ...headers },
    body: JSON.stringify({ query, variables }),
    signal: abort.signal,
  });
  const mailbox = new Mailbox<GraphQLAnswer>();
  let raw = '';

  async function read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of chunksOf(response)) {
      const text = decoder.decode(chunk, { stream: true });
      raw += text;
      const events = (rest + text).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const data = /^data: ?(.+)$/m.exec(event)?.[1];
        if (/^event: next$/m.test(event) && data !== undefined) mailbox.push(JSON.parse(data));
      }
    }
    if (!response.headers.get('content-type')?.startsWith('text/event-stream') && rest !== '') {
      mailbox.push(JSON.parse(rest));
    }
  }

  const ended = read().then(
    () => mailbox.end(new Error('The stream is complete.')),
    error => mailbox.end(new Error('The stream was cut.', { cause: error })),
  );
  const stream = resultStream(mailbox, ended, async () => {
    abort.abort();
    await ended;
  });
  return Object.defineProperties(stream, {
    status: { value: response.status },
    headers: { value: response.headers },
    raw: { get: () => raw },
  }) as SseStream;
}

function resultStream(mailbox: Mailbox<GraphQLAnswer>, ended: Promise<void>, stop: () => Promise<void>): ResultStream {
  return {
    get size() {
      return mailbox.size;
    },
    next: timeoutMs => mailbox.next(timeoutMs),
    ended,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The types of the DOM do not know that Node can iterate a body. */
function chunksOf({ body }: Response): AsyncIterable<Uint8Array> {
  return (body ?? new ReadableStream()) as unknown as AsyncIterable<Uint8Array>;
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
