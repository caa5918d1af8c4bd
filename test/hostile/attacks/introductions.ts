import { type Attack, act } from '../attack.js';
import { frame, message, opcodes, repeated } from '../frames.js';
import { HostileSocket } from '../socket.js';

// The protocol over WebSocket: how a client introduces itself, and whether it is alive.

const subscribe = message({
  id: '1',
  type: 'subscribe',
  payload: { query: 'subscription { viewerFeatures { revision } }' },
});
const ping = message({ type: 'ping' });

export const introductions: readonly Attack[] = [
  {
    name: 'subscribe before the introduction',
    weight: 0.5,
    expected: ['closed 4401'],
    draw: () =>
      act({}, async stage => {
        const socket = await HostileSocket.open(stage);
        socket.wire.write(subscribe);
        return socket.ending();
      }),
  },
  {
    name: 'connection_init twice',
    weight: 0.5,
    expected: ['closed 4429'],
    draw: ({ random }) => {
      const isAtOnce = random.chance(0.5);
      return act({ isAtOnce }, async stage => {
        const socket = isAtOnce ? await HostileSocket.open(stage) : await HostileSocket.begin(stage);
        socket.wire.write(repeated(isAtOnce ? 2 : 1, () => message({ type: 'connection_init' })));
        return socket.ending();
      });
    },
  },
  {
    name: 'connection_init never',
    weight: 0.5,
    expected: ['closed 4408'],
    draw: ({ between }) => {
      const pings = between(0, 50);
      return act({ pings }, async stage => {
        const socket = await HostileSocket.open(stage);
        socket.wire.write(repeated(pings, () => ping));
        return socket.ending();
      });
    },
  },
  {
    name: 'connection_init late',
    weight: 0.5,
    expected: ['answered'],
    draw: () =>
      act({}, async stage => {
        const socket = await HostileSocket.open(stage);
        await stage.pause(stage.scale.initTimeout / 10);
        socket.send({ type: 'connection_init' });
        socket.wire.write(ping);
        await socket.until(() => socket.count('connection_ack') > 0);
        return socket.alive();
      }),
  },
  {
    name: 'connection_init with a wrong token',
    weight: 0.5,
    expected: ['closed 4403'],
    draw: ({ random, between }) => {
      const authorization = random.pick([
        'Bearer',
        'Bearer a.b.c',
        'Basic YTpi',
        `Bearer ${'a'.repeat(between(100, 50_000))}`,
      ]);
      return act({ authorization: authorization.slice(0, 40) }, async stage => {
        const socket = await HostileSocket.begin(stage, { authorization });
        return socket.ending();
      });
    },
  },
  {
    name: 'another protocol',
    weight: 0.5,
    expected: ['closed 4406', 'refused'],
    draw: ({ random }) => {
      const protocol = random.pick(['graphql-ws', 'soap', 'mqtt, wamp']);
      return act({ protocol }, async stage => {
        const socket = await HostileSocket.open(stage, { protocol });
        socket.send({ type: 'connection_init' });
        return socket.ending();
      });
    },
  },
  {
    name: 'a flood of pings',
    weight: 1,
    expected: ['answered', 'closed 1013'],
    draw: ({ between }) => {
      const times = between(100, 5_000);
      return act({ times }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(repeated(times, () => ping));
        return (await socket.until(() => socket.count('pong') === times)) ? 'answered' : socket.state();
      });
    },
  },
  {
    name: 'a flood of pings below the protocol',
    weight: 1,
    expected: ['answered', 'cut'],
    draw: ({ between }) => {
      const times = between(100, 5_000);
      return act({ times }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(repeated(times, () => frame('', { opcode: opcodes.ping })));
        return (await socket.until(() => socket.count('pong frame') === times)) ? 'answered' : socket.state();
      });
    },
  },
  {
    name: 'pings of the server that are never answered',
    weight: 0.5,
    expected: ['cut'],
    draw: () =>
      act({}, async stage => {
        const socket = await HostileSocket.begin(stage, undefined, { answersPings: false });
        return socket.ending(stage.scale.silence);
      }),
  },
];
