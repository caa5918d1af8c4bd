import { getIntrospectionQuery } from 'graphql';
import { type Attack, act, type Outcome } from '../attack.js';
import { frame, message, opcodes } from '../frames.js';
import { eventStream, headOf, rawGet, rawPost } from '../raw-http.js';
import { HostileSocket } from '../socket.js';
import type { Stage } from '../stage.js';
import { Wire } from '../wire.js';

// Answers that nobody takes, or too slowly. A client that reads nothing does not hear that it was cut: it either goes on
// sending, which fails then, or looks after a while whether the answer is all there. On a busy machine that takes long.

const page = rawGet('/graphql', { accept: 'text/html' });

/** As large an answer as anybody may ask for. */
const introspection = getIntrospectionQuery();

const asking = (query: string) => rawPost({ body: JSON.stringify({ query }) });

const aliases = Array.from({ length: 95 }, (_, index) => `a${index}: features { key enabled reason }`).join(' ');

/** What is asked on each connection: many bytes of answers. */
const asked: Readonly<Record<string, readonly [request: string, times: number]>> = {
  'the page of GraphiQL': [page, 1],
  'many pages of GraphiQL': [page, 10],
  'large answers': [asking(introspection), 100],
  'many maps': [asking(`{ viewer { ${aliases} } }`), 2_000],
};

/** Whether anything of so many answers, all of the same length, is missing in the end, or was refused. Reads on from here. */
async function isCut(wire: Wire, times: number, stage: Stage): Promise<boolean> {
  wire.socket.resume();
  for (let before = -1; !wire.isOver && wire.bytes > before; ) {
    before = wire.bytes;
    await wire.until(() => wire.isOver || wire.bytes > before + 1_000_000, stage.scale.patience / 10);
  }
  const head = headOf(wire.text);
  if (head !== null && head.status >= 400) return true;
  return wire.isOver && (head === null || wire.bytes < times * (head.size + (head.length ?? 0)));
}

/** Takes one chunk, if there is any. */
async function sip(wire: Wire): Promise<void> {
  const before = wire.bytes;
  wire.socket.resume();
  await wire.until(() => wire.isOver || wire.bytes > before, 5);
  wire.socket.pause();
}

/** Leaves it unread, sending a byte that means nothing now and then, until it is cut. */
async function untilCut(wire: Wire, byte: Buffer, stage: Stage, silence = 0): Promise<boolean> {
  const end = performance.now() + stage.scale.patience;
  while (!wire.isOver && performance.now() < end) {
    await stage.pause(silence);
    wire.write(byte);
    await wire.end(100);
  }
  return wire.isOver;
}

const blankLine = Buffer.from('\r\n');

const operation = (index: number, query: string) => message({ id: `${index}`, type: 'subscribe', payload: { query } });

/** Twenty faults, each with its message. */
const wrong = `{ ${Array.from({ length: 20 }, (_, index) => `wrong${index}`).join(' ')} }`;

const ping = message({ type: 'ping' });
const longPing = frame('a'.repeat(125), { opcode: opcodes.ping });

/** What is asked over a WebSocket, and how often for a megabyte of answers. */
const floods: readonly (readonly [what: string, megabyte: number, asking: (index: number) => Buffer])[] = [
  ['answers', 10, index => operation(index, introspection)],
  ['errors', 300, index => operation(index, wrong)],
  ['pongs', 60_000, () => ping],
  ['pongs below the protocol', 8_000, () => longPing],
];

export const unread: readonly Attack[] = [
  ...Object.entries(asked).flatMap(([what, [request, times]]): Attack[] => [
    {
      name: `${what} never read`,
      weight: 0.2,
      expected: ['cut'],
      draw: ({ between }) => {
        const count = between(3, 40);
        return act({ count }, async stage => {
          const wires = await openPaused(stage, count, request.repeat(times));
          const { silence } = stage.scale;
          return outcomeOf(
            await Promise.all(
              wires.map(async wire => (await untilCut(wire, blankLine, stage, silence)) || isCut(wire, times, stage)),
            ),
          );
        });
      },
    },
    {
      name: `${what} never read while sending on`,
      weight: 0.2,
      expected: ['cut'],
      draw: ({ between }) => {
        const count = between(3, 40);
        return act({ count }, async stage => {
          const wires = await openPaused(stage, count, request.repeat(times));
          return outcomeOf(
            await Promise.all(
              wires.map(async wire => (await untilCut(wire, blankLine, stage)) || isCut(wire, times, stage)),
            ),
          );
        });
      },
    },
  ]),
  {
    name: 'the page of GraphiQL read slowly',
    weight: 0.2,
    expected: ['left', 'cut'],
    draw: ({ between }) => {
      const count = between(2, 20);
      const pause = between(20, 200);
      return act({ count, pause }, async stage => {
        const wires = await openPaused(stage, count, page);
        const end = performance.now() + stage.scale.silence;
        while (wires.some(({ isOver }) => !isOver) && performance.now() < end) {
          for (const wire of wires) await sip(wire);
          await stage.pause(pause);
        }
        return wires.every(({ isOver }) => isOver) ? 'cut' : 'left';
      });
    },
  },
  ...floods.map(
    ([what, megabyte, asked]): Attack => ({
      name: `${what} over WebSocket never read`,
      weight: 0.3,
      expected: ['cut', 'closed 1013'],
      draw: ({ between }) => {
        const count = between(1, 2);
        // More than kernels keep for a reader.
        const megabytes = between(8, 10);
        return act({ count, megabytes }, async stage => {
          const sockets = await Promise.all(Array.from({ length: count }, () => HostileSocket.begin(stage)));
          const flood = Buffer.concat(Array.from({ length: megabytes * megabyte }, (_, index) => asked(index)));
          for (const { wire } of sockets) {
            wire.socket.pause();
            wire.write(flood);
          }
          const pong = frame('', { opcode: opcodes.pong });
          return outcomeOf(await Promise.all(sockets.map(({ wire }) => untilCut(wire, pong, stage))));
        });
      },
    }),
  ),
  ...['over WebSocket', 'over SSE'].map(
    (way): Attack => ({
      name: `subscriptions ${way} whose events are never read`,
      weight: 0.3,
      // A kernel keeps some megabytes for a reader, which are more than all events of a run.
      expected: ['left', 'cut'],
      draw: ({ between }) => {
        const count = between(2, 40);
        return act({ count }, async stage => {
          const query = 'subscription { viewerFeatures { revision snapshot features { key enabled reason } removed } }';
          const wires =
            way === 'over SSE'
              ? await openPaused(stage, count, rawPost({ headers: eventStream, body: JSON.stringify({ query }) }))
              : await Promise.all(Array.from({ length: count }, () => subscribed(stage, query)));
          await stage.pause(stage.scale.silence / 2);
          return wires.every(({ isOver }) => isOver) ? 'cut' : 'left';
        });
      },
    }),
  ),
];

function openPaused(stage: Stage, count: number, request: string): Promise<Wire[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const wire = await Wire.open(stage);
      wire.socket.pause();
      wire.write(request);
      return wire;
    }),
  );
}

async function subscribed(stage: Stage, query: string): Promise<Wire> {
  const socket = await HostileSocket.begin(stage);
  for (let index = 0; index < 50; index += 1) socket.subscribe(`${index}`, { query });
  await socket.until(() => socket.results.size === 50);
  socket.wire.socket.pause();
  return socket.wire;
}

function outcomeOf(cut: readonly boolean[]): Outcome {
  const left = cut.filter(isCut => !isCut).length;
  return left === 0 ? 'cut' : `wrong: ${left} of ${cut.length} were let go on`;
}
