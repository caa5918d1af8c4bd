import {
  GraphQLEnumType,
  GraphQLError,
  GraphQLFloat,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';
import { type DestinationStream, pino } from 'pino';
import type { Caller } from '../../src/auth/caller.js';
import { mintToken, type TokenRequest } from '../../src/auth/token.js';
import { createVerifier, type Verifier } from '../../src/auth/verifier.js';
import { UnavailableError } from '../../src/core/errors.js';
import { createHalyardServer, type HalyardServerOptions, type ServerLoad } from '../../src/server/server.js';

export const secret = new TextEncoder().encode('0123456789abcdef0123456789abcdef');
export const userId = '5b0ed6f2-6f0c-4b9a-9b50-0a4f4c7f9d11';

/** A token that the test server accepts, valid for an hour unless stated. */
export function token(request: Partial<TokenRequest> = {}): Promise<string> {
  return mintToken(secret, { role: 'USER', userId, expiresInSeconds: 3_600, ...request });
}

/** Events that a test sends by hand, and who listens to them. */
export class Ticker {
  readonly #wakers = new Set<() => void>();
  #value = 0;
  /** Streams that are open right now. */
  listeners = 0;

  tick(): void {
    this.#value += 1;
    for (const wake of this.#wakers) wake();
  }

  /** Pulled, latest value only, and let go of at once, as the real streams are. */
  stream(): AsyncGenerator<{ tick: number }> {
    let seen = -1;
    let done = false;
    let wake = () => {};
    this.listeners += 1;
    const waker = () => wake();
    this.#wakers.add(waker);
    const stop = () => {
      if (done) return;
      done = true;
      this.listeners -= 1;
      this.#wakers.delete(waker);
      wake();
    };
    const next = async (): Promise<IteratorResult<{ tick: number }>> => {
      while (!done && seen === this.#value) {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
      if (done) return { done: true, value: undefined };
      seen = this.#value;
      return { done: false, value: { tick: seen } };
    };
    const generator: AsyncGenerator<{ tick: number }> = {
      next,
      return: async () => {
        stop();
        return { done: true, value: undefined };
      },
      throw: async error => {
        stop();
        throw error;
      },
      [Symbol.asyncIterator]: () => generator,
      [Symbol.asyncDispose]: async () => stop(),
    };
    return generator;
  }
}

interface TestContext {
  readonly caller: Caller;
  readonly ticker: Ticker;
  readonly gate: () => Promise<void>;
  /** Called for each event of the subscription `flood`. */
  readonly onMade?: () => void;
}

const Even = new GraphQLScalarType({
  name: 'Even',
  parseValue(value) {
    if (typeof value !== 'number' || value % 2 !== 0) throw new TypeError('An even number is expected.');
    return value;
  },
});
const Colour = new GraphQLEnumType({ name: 'Colour', values: { RED: {}, GREEN: {} } });
const Place = new GraphQLInputObjectType({
  name: 'Place',
  fields: { even: { type: new GraphQLNonNull(Even) }, colours: { type: new GraphQLList(Colour) } },
});

// biome-ignore lint/suspicious/noExplicitAny: any parent will do.
const Node: GraphQLObjectType<any, TestContext> = new GraphQLObjectType({
  name: 'Node',
  fields: () => ({
    self: { type: Node, resolve: () => ({}) },
    name: { type: GraphQLString, resolve: () => 'node' },
  }),
});

const hidden = 'postgresql://user:hunter2@db/secret';

export const schema = new GraphQLSchema({
  query: new GraphQLObjectType<unknown, TestContext>({
    name: 'Query',
    fields: {
      hello: { type: GraphQLString, resolve: () => 'world' },
      whoami: {
        type: GraphQLString,
        resolve: (_root, _args, { caller }) => `${caller.role} ${caller.userId}`,
      },
      node: { type: Node, resolve: () => ({}) },
      place: {
        type: GraphQLString,
        args: { place: { type: Place }, places: { type: new GraphQLList(Place) } },
        resolve: (_root, args) => JSON.stringify(args),
      },
      ratio: {
        type: GraphQLFloat,
        args: { of: { type: new GraphQLNonNull(GraphQLInt) } },
        resolve: (_root, { of }) => of,
      },
      slow: { type: GraphQLString, resolve: (_root, _args, { gate }) => gate().then(() => 'done') },
      large: {
        type: GraphQLString,
        args: { size: { type: new GraphQLNonNull(GraphQLInt) } },
        resolve: (_root, { size }) => 'x'.repeat(size),
      },
      throws: {
        type: GraphQLString,
        resolve: () => {
          throw new Error(hidden);
        },
      },
      throwsText: {
        type: GraphQLString,
        resolve: () => {
          throw hidden;
        },
      },
      throwsCodeless: {
        type: GraphQLString,
        resolve: () => {
          throw new GraphQLError(hidden);
        },
      },
      required: { type: new GraphQLNonNull(GraphQLString), resolve: () => null },
      forbidden: {
        type: GraphQLString,
        resolve: () => {
          throw new GraphQLError('No.', { extensions: { code: 'FORBIDDEN' } });
        },
      },
      unavailable: {
        type: GraphQLString,
        resolve: () => {
          throw new UnavailableError('The database cannot be reached.', { cause: new Error(hidden) });
        },
      },
    },
  }),
  mutation: new GraphQLObjectType({
    name: 'Mutation',
    fields: { change: { type: GraphQLString, resolve: () => 'changed' } },
  }),
  subscription: new GraphQLObjectType<unknown, TestContext>({
    name: 'Subscription',
    fields: {
      tick: { type: GraphQLInt, subscribe: (_root, _args, { ticker }) => ticker.stream() },
      throwsAtOnce: {
        type: GraphQLInt,
        subscribe: () => {
          throw new Error(hidden);
        },
      },
      throwsLater: {
        type: GraphQLInt,
        subscribe: async function* () {
          yield { throwsLater: 1 };
          throw new Error(hidden);
        },
      },
      throwsInResolver: {
        type: GraphQLInt,
        subscribe: async function* () {
          yield {};
        },
        resolve: () => {
          throw new Error(hidden);
        },
      },
      kept: {
        type: GraphQLInt,
        args: { value: { type: new GraphQLNonNull(GraphQLString) } },
        subscribe: (_root, _args, { ticker }) => ticker.stream(),
        resolve: (_event, { value }) => value.length,
      },
      flood: {
        type: GraphQLString,
        args: { size: { type: new GraphQLNonNull(GraphQLInt) } },
        subscribe: async function* () {
          while (true) yield {};
        },
        resolve: (_root, { size }, { onMade }) => {
          onMade?.();
          return 'x'.repeat(size);
        },
      },
    },
  }),
});

/** A verifier that verifies like this, and whose keys stay. */
export const verifierWith = (verify: Verifier['verify']): Verifier => ({
  verify,
  whenKeyLeaves: () => () => {},
  whenApiKeyLeaves: () => () => {},
});

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly ticker: Ticker;
  /** What the server holds right now. */
  readonly load: ServerLoad;
  /** Lets the field `slow` answer. */
  openGate(): void;
  /** How many have asked for the field `slow`. */
  readonly waiting: number;
  /** What the server has logged, a parsed line each. */
  readonly lines: readonly Record<string, unknown>[];
  close(): Promise<void>;
}

/** A server around the schema above on a free port. */
export async function startTestServer(
  options: Partial<Omit<HalyardServerOptions, 'log'>> & { logLevel?: string } = {},
): Promise<TestServer> {
  const lines: Record<string, unknown>[] = [];
  const destination: DestinationStream = { write: line => lines.push(JSON.parse(line)) };
  const ticker = new Ticker();
  let openGate = () => {};
  const gate = new Promise<void>(resolve => {
    openGate = resolve;
  });
  let waiting = 0;
  const waitAtGate = () => {
    waiting += 1;
    return gate;
  };
  const { logLevel = 'debug', ...rest } = options;
  const server = createHalyardServer({
    schema,
    createContext: caller => ({ caller, ticker, gate: waitAtGate }) satisfies TestContext,
    verifier: createVerifier({ keys: { kind: 'secret', secrets: [secret] } }),
    log: pino({ level: logLevel }, destination),
    host: '127.0.0.1',
    port: 0,
    corsOrigins: '*',
    readiness: () => ({ ready: true }),
    ...rest,
  });
  const { url, port } = await server.start();
  return {
    url,
    port,
    ticker,
    get load() {
      return server.load;
    },
    openGate: () => openGate(),
    get waiting() {
      return waiting;
    },
    lines,
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
