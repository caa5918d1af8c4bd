import { type Act, type Attack, act, type Draws, type Outcome } from '../attack.js';
import { frame } from '../frames.js';
import { chunked, firstAnswer, rawGet, rawPost } from '../raw-http.js';
import { HostileSocket } from '../socket.js';
import type { Stage } from '../stage.js';
import { Wire } from '../wire.js';

// More small things, on many connections at once, than can be worked off in one turn of the event loop.

/** How a flood on some connections ends, if a stranger beside it is answered meanwhile. */
async function flood(stage: Stage, count: number, one: () => Promise<Outcome>): Promise<Outcome> {
  const ends = Promise.all(Array.from({ length: count }, one));
  const stranger = await Wire.open(stage);
  stranger.write(rawGet('/health'));
  if (!(await stranger.until(() => stranger.text.includes('200 OK'), stage.scale.patience)))
    return 'wrong: all others wait';
  return (await ends)[0] ?? 'silent';
}

const floods: Readonly<
  Record<string, { expected: readonly Outcome[]; one: (stage: Stage, times: number) => Promise<Outcome> }>
> = {
  'expectations that cannot be met': {
    expected: ['cut'],
    async one(stage, times) {
      const wire = await Wire.open(stage);
      wire.write(rawGet('/graphql?query={__typename}', { expect: 'more' }).repeat(times));
      return (await wire.end(stage.scale.patience)) ? 'cut' : 'silent';
    },
  },
  'chunks of a byte': {
    expected: ['refused once', 'cut'],
    async one(stage, times) {
      const wire = await Wire.open(stage);
      wire.write(rawPost({ headers: chunked, body: '' }) + '1\r\n \r\n'.repeat(20 * times));
      return firstAnswer(wire, stage);
    },
  },
  'short messages over WebSocket': {
    expected: ['answered'],
    async one(stage, times) {
      const socket = await HostileSocket.begin(stage);
      socket.wire.write(Buffer.concat(Array.from({ length: 20 * times }, () => frame('{"type":"pong"}'))));
      return socket.alive();
    },
  },
};

/** Connects so many times at once while three sockets keep the server busy. A stranger who connects after them is not to wait. */
async function connectWhileBusy(stage: Stage, count: number): Promise<Outcome> {
  const pings = Buffer.concat(Array.from({ length: 600 }, () => frame('{"type":"ping"}')));
  const sockets = await Promise.all(Array.from({ length: 3 }, () => HostileSocket.begin(stage)));
  const busy = setInterval(() => {
    for (const { wire } of sockets) if (wire.socket.writableLength < pings.length) wire.write(pings);
  }, 5);
  try {
    await stage.pause(200);
    // The server cuts those that are too many.
    const connections = Array.from({ length: count }, () => stage.connect().catch(() => undefined));
    const stranger = await Wire.open(stage).catch(() => null);
    stranger?.write(rawGet('/health'));
    const isOver = await stranger?.until(() => stranger.isOver || stranger.text !== '', stage.scale.patience / 6);
    await Promise.all(connections);
    return isOver === true ? 'answered' : 'wrong: a stranger cannot connect';
  } finally {
    clearInterval(busy);
  }
}

const connecting: Attack = {
  name: 'a flood of connections beside busy WebSockets',
  weight: 0.2,
  isAlone: true,
  expected: ['answered'],
  draw: ({ between }) => {
    const count = between(1_000, 3_000);
    return act({ count }, stage => connectWhileBusy(stage, count));
  },
};

const ofMessages: readonly Attack[] = Object.entries(floods).map(([name, { expected, one }]) => ({
  name: `a flood of ${name}`,
  weight: 0.3,
  expected,
  draw: ({ between }: Draws): Act => {
    const count = between(5, 30);
    const times = between(500, 3_000);
    return act({ count, times }, stage => flood(stage, count, () => one(stage, times)));
  },
}));

export const manyAtOnce: readonly Attack[] = [...ofMessages, connecting];
