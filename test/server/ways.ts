import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import {
  GraphQLBoolean,
  GraphQLError,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';
import { WebSocket } from 'ws';
import type { Caller } from '../../src/auth/caller.js';
import { UnavailableError, ValidationError } from '../../src/core/errors.js';
import type { HalyardServerOptions } from '../../src/server/server.js';
import { startTestServer, type TestServer } from './harness.js';

/** Which code answered an operation: Yoga's, or the one that writes straight to Node's response. */
export type Way = 'yoga' | 'thin';

interface WaysContext {
  readonly caller: Caller;
  count(): number;
  gate(): Promise<void>;
  /** Called for the field `steady`. */
  steady(): void;
}

const failures: Record<string, () => Error> = {
  FORBIDDEN: () => new GraphQLError('No.', { extensions: { code: 'FORBIDDEN' } }),
  UNAUTHENTICATED: () => new GraphQLError('Who are you?', { extensions: { code: 'UNAUTHENTICATED' } }),
  BAD_USER_INPUT: () => new ValidationError([{ path: ['input', 'key'], message: 'A key is expected.' }]),
  UNAVAILABLE: () => new UnavailableError('The database cannot be reached.', { cause: new Error('hunter2') }),
  INTERNAL: () => new Error('postgresql://user:hunter2@db/secret'),
  WITH_STATUS: () =>
    new GraphQLError('Later.', {
      extensions: { code: 'LATER', http: { status: 429, headers: { 'retry-after': '5' } } },
    }),
};

const fails = { args: { code: { type: new GraphQLNonNull(GraphQLString) } } };
function fail(_root: unknown, { code }: { code: string }): never {
  throw failures[code]?.() ?? new Error('There is no such failure.');
}

const Place = new GraphQLInputObjectType({
  name: 'Place',
  fields: { x: { type: new GraphQLNonNull(GraphQLInt) }, tags: { type: new GraphQLList(GraphQLString) } },
});

const schema = new GraphQLSchema({
  query: new GraphQLObjectType<unknown, WaysContext>({
    name: 'Query',
    fields: {
      hello: { type: GraphQLString, resolve: () => 'wörld 🌍' },
      whoami: { type: GraphQLString, resolve: (_root, _args, { caller }) => `${caller.role} ${caller.userId}` },
      echo: {
        type: GraphQLString,
        args: { text: { type: GraphQLString }, place: { type: Place }, on: { type: GraphQLBoolean } },
        resolve: (_root, args) => JSON.stringify(args),
      },
      steady: {
        type: GraphQLInt,
        args: { n: { type: GraphQLInt }, fail: { type: GraphQLBoolean } },
        extensions: { repeatable: true },
        resolve: (_root, { n, fail }, { steady }) => {
          if (fail) throw new GraphQLError('No.', { extensions: { code: 'FORBIDDEN' } });
          steady();
          return n;
        },
      },
      large: { type: GraphQLString, resolve: () => 'ö'.repeat(100_000) },
      slow: { type: GraphQLString, resolve: (_root, _args, { gate }) => gate().then(() => 'done') },
      fails: { ...fails, type: GraphQLString, resolve: fail },
      failsRequired: { ...fails, type: new GraphQLNonNull(GraphQLString), resolve: fail },
    },
  }),
  mutation: new GraphQLObjectType<unknown, WaysContext>({
    name: 'Mutation',
    fields: { count: { type: GraphQLInt, resolve: (_root, _args, { count }) => count() } },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      once: {
        type: GraphQLInt,
        subscribe: async function* () {
          yield { once: 1 };
        },
      },
    },
  }),
});

export interface WaysServer extends TestServer {
  /** Which way the operation of this request went; undefined when none was executed. */
  wayOf(requestId: string): Way | undefined;
  /** How often the mutation `count` has been executed. */
  readonly counted: number;
  /** How many execute the field `slow` right now. */
  readonly held: number;
  /** Lets them go on. */
  release(): void;
  /** What is done from now on when the field `steady` is executed. */
  onSteady(act: () => void): void;
  /** From now on the context of each operation fails with this error. */
  failContext(error: Error | null): void;
}

/** A server that tells which way an operation came in. */
export async function startWaysServer(options: Partial<Omit<HalyardServerOptions, 'log'>> = {}): Promise<WaysServer> {
  const ways = new Map<string, Way>();
  const held: (() => void)[] = [];
  let counted = 0;
  let act = () => {};
  let failure: Error | null = null;
  const server = await startTestServer({
    schema,
    createContext: (caller, origin) => {
      // Yoga alone knows of a `Request`.
      ways.set(origin.requestId, 'request' in origin ? 'yoga' : 'thin');
      if (failure !== null) throw failure;
      return {
        caller,
        count: () => {
          counted += 1;
          return counted;
        },
        gate: () => new Promise<void>(resolve => held.push(resolve)),
        steady: () => act(),
      } satisfies WaysContext;
    },
    ...options,
  });
  return Object.defineProperties(server, {
    wayOf: { value: (requestId: string) => ways.get(requestId) },
    counted: { get: () => counted },
    held: { get: () => held.length },
    release: {
      value: () => {
        for (const resolve of held.splice(0)) resolve();
      },
    },
    onSteady: {
      value: (next: () => void) => {
        act = next;
      },
    },
    failContext: {
      value: (error: Error | null) => {
        failure = error;
      },
    },
  }) as WaysServer;
}

/** A request as it is written on the wire. */
export interface WireRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** An answer with everything that must not depend on the way. */
export interface WireAnswer {
  readonly status: number;
  readonly reason: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let requests = 0;

/** Sends a request on a connection of its own and says which way its operation went. */
export async function exchange(
  server: WaysServer,
  { method = 'POST', path = '/graphql', headers = {}, body = '' }: WireRequest,
): Promise<{ readonly answer: WireAnswer; readonly way: Way | undefined }> {
  requests += 1;
  const requestId = `request-${requests}`;
  const answer = await new Promise<WireAnswer>((resolve, reject) => {
    const sent = httpRequest(
      {
        ...{ host: '127.0.0.1', port: server.port, agent: false, method, path },
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...headers,
          'x-request-id': requestId,
        },
      },
      response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { date, ...rest } = response.headers;
          const whole = Buffer.concat(chunks);
          const answered = { status: response.statusCode as number, reason: response.statusMessage, headers: rest };
          if (date === undefined) reject(new Error('There is no date.'));
          if (rest['x-request-id'] !== requestId) reject(new Error(`The id is ${rest['x-request-id']}.`));
          delete rest['x-request-id'];
          resolve({ ...answered, body: whole.toString('latin1') });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
  return { answer, way: server.wayOf(requestId) };
}

/** What one operation is answered over a WebSocket: its first result, or the errors that it was refused for. */
export function overWebSocket(server: TestServer, params: object, token?: string): Promise<object> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/graphql`, 'graphql-transport-ws');
    const send = (message: object) => socket.send(JSON.stringify(message));
    const payload = token === undefined ? {} : { authorization: `Bearer ${token}` };
    socket.on('open', () => send({ type: 'connection_init', payload }));
    socket.on('error', reject);
    socket.on('close', code => reject(new Error(`The socket closed with ${code}.`)));
    socket.on('message', data => {
      const message = JSON.parse(String(data));
      if (message.type === 'connection_ack') send({ id: '1', type: 'subscribe', payload: params });
      if (message.type !== 'next' && message.type !== 'error') return;
      resolve(message.type === 'next' ? message.payload : { errors: message.payload });
      socket.close(1000);
    });
  });
}
