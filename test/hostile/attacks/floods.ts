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

export const manyAtOnce: readonly Attack[] = Object.entries(floods).map(([name, { expected, one }]) => ({
  name: `a flood of ${name}`,
  weight: 0.3,
  expected,
  draw: ({ between }: Draws): Act => {
    const count = between(5, 30);
    const times = between(500, 3_000);
    return act({ count, times }, stage => flood(stage, count, () => one(stage, times)));
  },
}));
