import { type Act, type Attack, act, type Draws } from '../attack.js';
import { closing, frame, message, opcodes } from '../frames.js';
import { HostileSocket, upgradeHead } from '../socket.js';
import { Wire } from '../wire.js';

// WebSocket below its messages.

const init = JSON.stringify({ type: 'connection_init' });

/** What no client may send, with what it is closed with. */
const broken: readonly (readonly [what: string, code: number, bytes: (draws: Draws) => Buffer])[] = [
  ['text that is no UTF-8', 1007, () => frame(Buffer.from([0x22, 0xc3, 0x28, 0xff, 0x22]))],
  ['a reason that is no UTF-8', 1007, () => frame(Buffer.from([0x03, 0xe8, 0xff, 0xfe]), { opcode: opcodes.close })],
  ['a frame that is not masked', 1002, () => frame(init, { isMasked: false })],
  ['a frame with reserved bits', 1002, ({ random }) => frame(init, { reserved: random.pick([0x40, 0x20, 0x10]) })],
  ['an unknown kind of frame', 1002, ({ random }) => frame(init, { opcode: random.pick([3, 7, 11, 15]) })],
  ['a continuation of nothing', 1002, () => frame(init, { opcode: opcodes.continuation })],
  ['a long ping', 1002, () => frame('a'.repeat(126), { opcode: opcodes.ping })],
  ['a ping in parts', 1002, () => frame('a', { opcode: opcodes.ping, isLast: false })],
  ['an unknown close code', 1002, ({ random }) => closing(random.pick([0, 999, 1004, 1005, 1006, 1015, 2999, 5000]))],
  ['two beginnings', 1002, () => Buffer.concat([frame('a', { isLast: false }), frame('b')])],
  ['a large frame', 1009, ({ between }) => frame('a', { length: between(1_000_001, 2 ** 31) })],
  ['a frame of petabytes', 1009, () => frame('a', { length: 2 ** 52 })],
  ['a frame beyond all numbers', 1009, () => Buffer.concat([Buffer.from([0x81, 0xff]), Buffer.alloc(8, 0xff)])],
];

export const frames: readonly Attack[] = [
  ...broken.map(
    ([what, code, bytes]): Attack => ({
      name: `${what} over WebSocket`,
      weight: 0.3,
      expected: [`closed ${code}`],
      draw: draws => {
        const drawn = bytes(draws);
        return act({ bytes: drawn.subarray(0, 16).toString('hex') }, async stage => {
          const socket = await HostileSocket.open(stage);
          socket.wire.write(drawn);
          return socket.ending();
        });
      },
    }),
  ),
  {
    name: 'many parts that are too large together over WebSocket',
    weight: 0.3,
    expected: ['closed 1009'],
    draw: ({ between }) => {
      const size = between(300_000, 900_000);
      return act({ size }, async stage => {
        const socket = await HostileSocket.begin(stage);
        const part = 'a'.repeat(size);
        socket.wire.write(frame(part, { isLast: false }));
        for (let sent = size; sent <= 1_000_000; sent += size) {
          socket.wire.write(frame(part, { opcode: opcodes.continuation, isLast: false }));
        }
        return socket.ending();
      });
    },
  },
  {
    name: 'a message in parts of a byte over WebSocket',
    weight: 0.5,
    expected: ['answered'],
    draw: ({ random }) => {
      const isFlushed = random.chance(0.5);
      return act({ isFlushed }, async stage => {
        const socket = await HostileSocket.open(stage);
        const parts = [...init].map((letter, index) => {
          const opcode = index === 0 ? opcodes.text : opcodes.continuation;
          return frame(letter, { opcode, isLast: index === init.length - 1 });
        });
        const bytes = Buffer.concat(parts);
        const step = isFlushed ? 1 : bytes.length;
        for (let sent = 0; sent < bytes.length; sent += step) {
          socket.wire.write(bytes.subarray(sent, sent + step));
          if (isFlushed) await new Promise(setImmediate);
        }
        await socket.until(() => socket.count('connection_ack') > 0);
        return socket.alive();
      });
    },
  },
  {
    name: 'parts of a message that never end over WebSocket',
    weight: 0.3,
    // Too large, or too many parts.
    expected: ['closed 1009', 'closed 1008'],
    draw: ({ between }) => {
      const size = between(2_000, 5_000);
      return act({ size }, async stage => {
        const socket = await HostileSocket.begin(stage);
        const part = frame('a'.repeat(size), { opcode: opcodes.continuation, isLast: false });
        socket.wire.write(frame('a', { isLast: false }));
        for (let sent = 0; sent < 2_000_000 && socket.state() === 'silent'; sent += size) {
          socket.wire.write(part);
          await new Promise(setImmediate);
        }
        return socket.ending();
      });
    },
  },
  {
    name: 'half a message over WebSocket',
    weight: 0.5,
    expected: ['left'],
    draw: ({ random }) => {
      const whole = message({ id: '1', type: 'subscribe', payload: { query: '{ __typename }' } });
      const length = random.integer(1, whole.length - 1);
      return act({ length }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(whole.subarray(0, length));
        await new Promise(setImmediate);
        socket.wire.leave();
        return 'left';
      });
    },
  },
  {
    name: 'an upgrade that is left',
    weight: 1,
    expected: ['left'],
    draw: ({ random, between }): Act => {
      const delays = Array.from({ length: between(5, 40) }, () => random.integer(0, 3));
      const isWhole = random.chance(0.7);
      return act({ delays, isWhole }, async stage => {
        for (const delay of delays) {
          const wire = await Wire.open(stage);
          wire.write(isWhole ? upgradeHead() : upgradeHead().slice(0, 100));
          if (delay > 0) await stage.pause(delay - 1);
          wire.leave();
        }
        return 'left';
      });
    },
  },
];
