import { getIntrospectionQuery } from 'graphql';
import { megabytes } from '../aftermath.js';
import { type Act, type Attack, act, type Draws } from '../attack.js';
import { frame } from '../frames.js';
import { eventStream, rawPost } from '../raw-http.js';
import { HostileSocket } from '../socket.js';
import type { Stage } from '../stage.js';
import { Wire } from '../wire.js';
import { objects } from './variables.js';

// What a server keeps for as long as a client stays, measured while it stays.

const subscription = 'subscription { viewerFeatures { revision } }';
const withKeys = 'subscription ($keys: [String!]) { viewerFeatures(keys: $keys) { revision } }';

/** Bytes that may be kept for a client, and that may come and go meanwhile. */
const allowed = 500_000;
const slack = 8_000_000;

/** Opens one client that sends so many bytes, perhaps several times, and stays. Resolves when the server has seen to them. */
type Open = (stage: Stage, bytes: number) => Promise<unknown>;

interface Message {
  readonly id?: string;
  readonly payload?: object;
  readonly other?: unknown;
}

/** Introduces itself and subscribes, the second so many times. */
function overSocket(init: (bytes: number) => object, message: (bytes: number) => Message, times = 1): Open {
  return async (stage, bytes) => {
    const socket = await HostileSocket.begin(stage, init(bytes));
    const content = { type: 'subscribe', payload: { query: subscription }, ...message(bytes) };
    for (let index = 0; index < times; index += 1) socket.send({ ...content, id: `${content.id ?? ''}${index}` });
    // A result, an error, or the end.
    await socket.until(() => socket.results.size === times);
  };
}

function overSse(payload: (bytes: number) => object): Open {
  return async (stage, bytes) => {
    const wire = await Wire.open(stage);
    wire.write(rawPost({ headers: eventStream, body: JSON.stringify(payload(bytes)) }));
    // An event, or a plain answer that is longer than its head.
    await wire.until(() => wire.isOver || /\r\n\r\n.*\w/s.test(wire.text), stage.scale.patience);
  };
}

/** What is heavier in memory than on the wire is sent once. */
const payloads: Readonly<Record<string, (bytes: number) => object>> = {
  'variables that are not declared': bytes => ({ query: subscription, variables: { other: objects(bytes) } }),
  'a variable of the wrong type': bytes => ({ query: withKeys, variables: { keys: objects(bytes) } }),
  'a variable of many keys': bytes => ({
    query: withKeys,
    variables: { keys: Array.from({ length: Math.floor(bytes / 8) }, (_, index) => `k${index % 10_000}`) },
  }),
  extensions: bytes => ({ query: subscription, extensions: { other: objects(bytes) } }),
  'unknown keys': bytes => ({ query: subscription, other: objects(bytes) }),
  'a comment': bytes => ({ query: `${subscription} # ${'a'.repeat(bytes)}` }),
};

const opens: Readonly<Record<string, Open>> = {
  connection_init: overSocket(
    bytes => ({ other: objects(bytes) }),
    () => ({}),
  ),
  'the ids of subscriptions': overSocket(
    () => ({}),
    bytes => ({ id: 'a'.repeat(bytes) }),
    6,
  ),
  'the comments of subscriptions': overSocket(
    () => ({}),
    bytes => ({ payload: { query: `${subscription} # ${'a'.repeat(bytes)}` } }),
    6,
  ),
  'the variables of subscriptions': overSocket(
    () => ({}),
    bytes => ({ payload: { query: withKeys, variables: { keys: ['a'], other: 'a'.repeat(bytes) } } }),
    6,
  ),
  'unknown keys of a message': overSocket(
    () => ({}),
    bytes => ({ other: objects(bytes) }),
  ),
  ...Object.fromEntries(
    Object.entries(payloads).flatMap(([name, payload]) => [
      [
        `${name} of a subscription over WebSocket`,
        overSocket(
          () => ({}),
          bytes => ({ payload: payload(bytes) }),
        ),
      ],
      [`${name} of a subscription over SSE`, overSse(payload)],
    ]),
  ),
};

const whileOpen: readonly Attack[] = Object.entries(opens).map(([name, open]) => ({
  name: `much in ${name} held open`,
  weight: 0.15,
  isAlone: true,
  expected: ['held'],
  draw: ({ between }: Draws): Act => {
    const clients = between(4, 10);
    const bytes = between(900_000, 960_000);
    return {
      parameters: { clients, bytes },
      async run(stage) {
        const before = await stage.held();
        for (let client = 0; client < clients; client += 1) await open(stage, bytes);
        const grown = (await stage.held()) - before;
        if (grown <= clients * allowed + slack) return 'held';
        return `wrong: ${megabytes(grown)} are held for ${clients} clients`;
      },
    };
  },
}));

/** Bytes that operations of one address may hold while they are under way. */
const allowedUnderWay = 64_000_000;

/** A megabyte of lists, which take nearly thirty in memory. */
const nested = `${'['.repeat(490_000)}${']'.repeat(490_000)}`;

/** Fills all that is on the way to a reader that does not read, and begins operations with much in their variables behind that. */
async function beginUnread(stage: Stage, answers: number, operations: number): Promise<void> {
  const socket = await HostileSocket.begin(stage);
  const { wire } = socket;
  wire.socket.pause();
  for (let index = 0; index < answers; index += 1) socket.subscribe(`a${index}`, { query: getIntrospectionQuery() });
  for (let index = 0; index < operations; index += 1) {
    const payload = `{"query":"{ __typename }","variables":{"a":${nested}}}`;
    wire.write(frame(`{"type":"subscribe","id":"b${index}","payload":${payload}}`));
  }
}

const unread: Attack = {
  name: 'much in the variables of queries whose answers are never read',
  weight: 0.15,
  isAlone: true,
  expected: ['held'],
  draw: ({ between }) => {
    const clients = between(4, 8);
    // About as many as the buffers of the operating system take.
    const answers = between(40, 44);
    return act({ clients, answers }, async stage => {
      const before = await stage.held();
      for (let client = 0; client < clients; client += 1) await beginUnread(stage, answers + client, 25);
      // Nothing comes back that could be waited for.
      await stage.pause(stage.scale.silence / 8);
      const grown = (await stage.held()) - before;
      if (grown <= allowedUnderWay + clients * allowed + slack) return 'held';
      return `wrong: ${megabytes(grown)} are held for ${clients} clients`;
    });
  },
};

export const kept: readonly Attack[] = [...whileOpen, unread];
