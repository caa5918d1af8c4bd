import { type Attack, act, type Draws } from '../attack.js';
import { closing, frame, message, opcodes, repeated } from '../frames.js';
import { HostileSocket } from '../socket.js';

// The protocol over WebSocket: ids and their order, and when clients leave.

const payload = { query: 'subscription { viewerFeatures { revision } }' };
const subscribe = (id: string) => message({ id, type: 'subscribe', payload });
const complete = (id: string) => message({ id, type: 'complete' });
const ping = message({ type: 'ping' });
/** The first one of a user takes several turns of the event loop, because the user has to be loaded. */
const ask = (id: string) => message({ id, type: 'subscribe', payload: { query: '{ viewer { featureMap } }' } });

/** Messages that are none of the protocol. */
const nonsense = [
  ...['', 'a', '1', 'null', '[]', '{}', '"ping"', '{"type":1}', '{"type":"nothing"}', '{"type":"subscribe"}'],
  ...[
    '{"type":"subscribe","id":1,"payload":{"query":"{a}"}}',
    '{"type":"subscribe","id":"","payload":{"query":"{a}"}}',
  ],
  ...['{"type":"subscribe","id":"1"}', '{"type":"subscribe","id":"1","payload":{"query":1}}', '{"type":"complete"}'],
  ...[
    '{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":1}}',
    '{"type":"connection_init","payload":1}',
  ],
];

export const messages: readonly Attack[] = [
  {
    name: 'complete and subscribe with one id in one segment',
    weight: 2,
    expected: ['answered'],
    draw: ({ between }) => {
      const times = between(50, 3_000);
      return act({ times }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(
          Buffer.concat([subscribe('1'), repeated(times, () => Buffer.concat([complete('1'), subscribe('1')]))]),
        );
        const alive = await socket.alive();
        if (alive !== 'answered') return alive;
        const result = await socket.result('1');
        const wrong = socket.count('complete');
        return wrong === 0 ? result : `wrong: told ${wrong} times that what goes on is complete`;
      });
    },
  },
  {
    name: 'complete of a query under way and subscribe with its id in one segment',
    weight: 2,
    expected: ['answered'],
    draw: ({ random, between }) => {
      const userIds = Array.from({ length: between(5, 50) }, () => random.uuid());
      return act({ users: userIds.length }, async stage => {
        for (const userId of userIds) {
          const socket = await HostileSocket.begin(stage, { authorization: `Bearer ${await stage.token({ userId })}` });
          socket.wire.write(Buffer.concat([ask('1'), complete('1'), subscribe('1')]));
          const result = await socket.result('1');
          if (result !== 'answered') return result;
          // What the query leaves behind comes after the first answer, if it comes.
          const alive = await socket.alive();
          if (alive !== 'answered') return alive;
          // Further updates may be due to changes by others.
          if (socket.count('next viewer') > 0) return 'wrong: a query that was ended is answered';
          if (socket.count('complete') > 0) return 'wrong: told that what goes on is complete';
          socket.wire.leave();
        }
        return 'answered';
      });
    },
  },
  {
    name: 'subscribe and complete of many ids in one segment',
    weight: 1,
    expected: ['answered'],
    draw: ({ between }) => {
      const times = between(50, 3_000);
      return act({ times }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(repeated(times, index => Buffer.concat([subscribe(`${index}`), complete(`${index}`)])));
        return socket.alive();
      });
    },
  },
  {
    name: 'subscribe with one id twice',
    weight: 1,
    expected: ['closed 4409'],
    draw: ({ random }) => {
      const isAtOnce = random.chance(0.5);
      return act({ isAtOnce }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(isAtOnce ? repeated(2, () => subscribe('1')) : subscribe('1'));
        if (!isAtOnce && (await socket.result('1')) === 'answered') socket.wire.write(subscribe('1'));
        return socket.ending();
      });
    },
  },
  {
    name: 'complete of what never was',
    weight: 1,
    expected: ['answered'],
    draw: ({ between }) => {
      const times = between(10, 5_000);
      return act({ times }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(
          Buffer.concat([repeated(times, index => complete(`${index}`)), complete('1'), subscribe('1')]),
        );
        return socket.result('1');
      });
    },
  },
  {
    name: 'ids that every object has',
    weight: 1,
    expected: ['answered'],
    draw: ({ random }) => {
      const id = random.pick(['__proto__', 'constructor', 'toString', ' ', '\u0000', '💥']);
      return act({ id }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(repeated(20, () => Buffer.concat([complete(id), subscribe(id)])));
        return socket.result(id);
      });
    },
  },
  {
    name: 'more subscriptions than a socket may hold',
    weight: 0.5,
    expected: ['refused once: TOO_MANY_SUBSCRIPTIONS'],
    draw: ({ between }) => {
      const times = between(101, 400);
      return act({ times }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(repeated(times, index => subscribe(`${index}`)));
        await socket.until(() => socket.results.size === times);
        return [...socket.results.values()].find(outcome => outcome !== 'answered') ?? 'answered';
      });
    },
  },
  ...(['cut', 'close', 'close and go on'] as const).map(
    (goodbye): Attack => ({
      name: `subscribe and ${goodbye} at some moment`,
      weight: 2,
      expected: goodbye === 'cut' ? ['left'] : ['closed 1000'],
      draw: ({ random, between }) => {
        const delays = Array.from({ length: between(5, 40) }, () => random.integer(0, 6));
        const count = between(1, 50);
        const isNew = random.chance(0.5);
        const userId = random.uuid();
        return act({ delays, count, isNew }, async stage => {
          let outcome = 'left';
          for (const delay of delays) {
            const socket = await HostileSocket.open(stage);
            const authorization = isNew ? { authorization: `Bearer ${await stage.token({ userId })}` } : {};
            socket.send({ type: 'connection_init', payload: authorization });
            if (!isNew) await socket.until(() => socket.count('connection_ack') > 0);
            socket.wire.write(repeated(count, index => subscribe(`${index}`)));
            if (delay > 0) await stage.pause(delay - 1);
            if (goodbye === 'cut') {
              socket.wire.leave();
              continue;
            }
            socket.wire.write(closing(1000));
            if (goodbye === 'close and go on') socket.wire.write(repeated(20, index => subscribe(`later ${index}`)));
            outcome = await socket.ending();
            // Who subscribes before it is acknowledged may have been closed for that.
            if (isNew && outcome === 'closed 4401') outcome = 'closed 1000';
            if (outcome !== 'closed 1000') return outcome;
          }
          return outcome;
        });
      },
    }),
  ),
  {
    name: 'messages that are none',
    weight: 1,
    expected: ['closed 4400'],
    draw: ({ random, between }) => {
      const long = ['a'.repeat(between(1_000, 900_000)), '{"type":'.repeat(between(1_000, 90_000))];
      const text = random.pick([...nonsense, ...long]);
      const opcode = random.pick([opcodes.text, opcodes.binary]);
      return act({ text: text.slice(0, 60), opcode }, async stage => {
        const socket = await HostileSocket.begin(stage);
        socket.wire.write(frame(text, { opcode }));
        return socket.ending();
      });
    },
  },
  {
    name: 'messages in any order',
    weight: 3,
    expected: ['answered', 'closed 4409', 'closed 4429'],
    draw: draws => {
      const sent = anyMessages(draws);
      return act({ messages: sent.length }, async stage => {
        const socket = await HostileSocket.begin(stage);
        for (const { bytes, pause } of sent) {
          socket.wire.write(bytes);
          if (pause > 0) await stage.pause(pause - 1);
        }
        return socket.alive();
      });
    },
  },
];

/** Messages of the protocol about a few ids. */
function anyMessages({ random, between }: Draws) {
  const ids = ['1', '2', '3'];
  const kinds = [
    { weight: 8, make: () => subscribe(random.pick(ids)) },
    { weight: 8, make: () => complete(random.pick(ids)) },
    { weight: 2, make: () => ping },
    {
      weight: 2,
      make: () => message({ id: random.pick(ids), type: 'subscribe', payload: { query: '{ __typename }' } }),
    },
    { weight: 1, make: () => message({ id: random.pick(ids), type: 'subscribe', payload: { query: '{ wrong' } }) },
    { weight: 1, make: () => message({ type: 'pong' }) },
    { weight: 0.1, make: () => message({ type: 'connection_init' }) },
  ];
  return Array.from({ length: between(30, 300) }, () => ({
    bytes: random.weighted(kinds).make(),
    pause: random.chance(0.2) ? random.integer(1, 3) : 0,
  }));
}
