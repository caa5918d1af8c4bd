import { type Attack, act } from '../attack.js';
import { inGroups } from '../groups.js';
import { bearer } from '../http.js';
import {
  answersIn,
  chunked,
  eventStream,
  firstAnswer,
  firstEvent,
  type Headers,
  inOneChunk,
  rawGet,
  rawPost,
  subscription,
} from '../raw-http.js';
import { Wire } from '../wire.js';

// HTTP in pieces: clients that leave, that are slow, that send half of it or much at once.

/** How a stream can be asked for. */
const streams: readonly ((headers: Headers) => string)[] = [
  headers => rawPost({ headers: { ...eventStream, ...headers }, body: subscription }),
  // Too long for a short cut.
  headers => rawPost({ headers: { ...eventStream, ...headers }, body: subscription.padEnd(20_000) }),
  headers => rawPost({ headers: { ...eventStream, ...headers, ...chunked }, body: inOneChunk(subscription) }),
  headers =>
    rawGet(`/graphql?query=${encodeURIComponent(JSON.parse(subscription).query)}`, { ...eventStream, ...headers }),
];

export const goodbyes: readonly Attack[] = [
  ...(['a new token', 'a known token', 'no token'] as const).map(
    (who): Attack => ({
      name: `streams with ${who} that are left at once`,
      weight: who === 'a new token' ? 4 : 1,
      expected: ['left'],
      draw: ({ random, between }) => {
        const visits = Array.from({ length: between(100, 400) }, () => ({
          delay: random.integer(0, 4),
          userId: random.uuid(),
          ask: random.pick(streams),
          isReset: random.chance(0.5),
        }));
        return act({ visits: visits.length }, async stage => {
          const known = await stage.token({ userId: visits[0]?.userId });
          // Several at once, so that they wait for one another.
          await inGroups(visits, 20, async ({ delay, userId, ask, isReset }) => {
            const token = who === 'a known token' ? known : await stage.token({ userId });
            const wire = await Wire.open(stage);
            wire.write(ask(who === 'no token' ? {} : bearer(token)));
            if (delay === 1) await new Promise(setImmediate);
            if (delay > 1) await stage.pause(delay - 2);
            wire.leave(isReset);
          });
          return 'left';
        });
      },
    }),
  ),
  {
    name: 'streams that are left after the first event',
    weight: 1,
    expected: ['left'],
    draw: ({ random, between }) => {
      const count = between(5, 50);
      const isHalf = random.chance(0.3);
      return act({ count, isHalf }, async stage => {
        for (let index = 0; index < count; index += 1) {
          const wire = await Wire.open(stage);
          wire.write(rawPost({ headers: eventStream, body: subscription }));
          const outcome = await firstEvent(wire, stage);
          if (outcome !== 'answered') return outcome;
          if (isHalf) wire.socket.end();
          if (isHalf) await new Promise(setImmediate);
          wire.leave();
        }
        return 'left';
      });
    },
  },
  {
    name: 'a request whose sender has ended its side',
    weight: 1,
    expected: ['answered', 'cut'],
    draw: ({ random }) => {
      const isStream = random.chance(0.5);
      return act({ isStream }, async stage => {
        const wire = await Wire.open(stage);
        wire.write(isStream ? rawPost({ headers: eventStream, body: subscription }) : rawPost());
        wire.socket.end();
        return isStream ? firstEvent(wire, stage) : firstAnswer(wire, stage);
      });
    },
  },
  {
    name: 'requests that are left before their body has ended',
    weight: 1,
    expected: ['left'],
    draw: ({ random, between }) => {
      const lengths = Array.from({ length: between(10, 100) }, () => random.integer(0, rawPost().length - 1));
      return act({ requests: lengths.length }, async stage => {
        for (const length of lengths) {
          const wire = await Wire.open(stage);
          wire.write(rawPost().slice(0, length));
          await new Promise(setImmediate);
          wire.leave();
        }
        return 'left';
      });
    },
  },
  {
    name: 'a body a byte at a time',
    weight: 0.5,
    expected: ['answered', 'refused', 'cut'],
    draw: ({ random, between }) => {
      const pause = between(1, 60);
      const size = random.pick([1, 2, 3]);
      return act({ pause, size }, async stage => {
        const wire = await Wire.open(stage);
        const text = rawPost();
        for (let sent = 0; sent < text.length && !wire.isOver; sent += size) {
          wire.write(text.slice(sent, sent + size));
          await stage.pause(pause);
        }
        return firstAnswer(wire, stage);
      });
    },
  },
  {
    name: 'a stated length that never comes',
    weight: 0.5,
    expected: ['left', 'cut', 'refused'],
    draw: ({ random, between }) => {
      const length = random.pick([1_000, 20_000, 999_999]);
      const count = between(3, 30);
      return act({ length, count }, async stage => {
        const wires = await Promise.all(Array.from({ length: count }, () => Wire.open(stage)));
        for (const wire of wires) wire.write(rawPost({ length }));
        await stage.pause(stage.scale.silence / 4);
        return 'left';
      });
    },
  },
  {
    name: 'a chunked body that never ends',
    weight: 0.5,
    expected: ['refused', 'cut'],
    draw: ({ between }) => {
      const chunk = between(1_000, 50_000);
      return act({ chunk }, async stage => {
        const wire = await Wire.open(stage);
        wire.write(rawPost({ headers: chunked, body: '' }));
        for (let sent = 0; sent < 3_000_000 && !wire.isOver && wire.bytes === 0; sent += chunk) {
          wire.write(`${chunk.toString(16)}\r\n${' '.repeat(chunk)}\r\n`);
          await new Promise(setImmediate);
        }
        return firstAnswer(wire, stage);
      });
    },
  },
  {
    name: 'many requests in one write',
    weight: 1,
    expected: ['answered', 'cut'],
    draw: ({ random, between }) => {
      const count = between(20, 500);
      const sent = random.pick([rawPost(), rawGet('/health'), rawPost({ body: '{' })]);
      return act({ count, sent: sent.slice(0, 20) }, async stage => {
        const wire = await Wire.open(stage);
        wire.write(sent.repeat(count));
        await wire.until(() => wire.isOver || answersIn(wire.text) >= count, stage.scale.patience);
        if (answersIn(wire.text) >= count) return 'answered';
        return wire.isOver ? 'cut' : `silent after ${answersIn(wire.text)} of ${count} answers`;
      });
    },
  },
  {
    name: 'many requests in one write that are left',
    weight: 1,
    expected: ['left'],
    draw: ({ random, between }) => {
      const count = between(20, 500);
      const delay = random.integer(0, 20);
      const sent = rawPost(random.chance(0.5) ? { headers: eventStream, body: subscription } : {});
      return act({ count, delay, sent: sent.slice(-40) }, async stage => {
        const wire = await Wire.open(stage);
        wire.write(sent.repeat(count));
        await stage.pause(delay);
        wire.leave();
        return 'left';
      });
    },
  },
  {
    name: 'a connection that is idle between two requests',
    weight: 0.5,
    expected: ['answered', 'cut'],
    draw: () =>
      act({}, async stage => {
        const wire = await Wire.open(stage);
        wire.write(rawPost());
        if (!(await wire.until(() => answersIn(wire.text) === 1, stage.scale.patience))) return 'silent';
        await stage.pause(stage.scale.silence / 6);
        wire.write(rawPost());
        await wire.until(() => wire.isOver || answersIn(wire.text) === 2, stage.scale.patience);
        return answersIn(wire.text) === 2 ? 'answered' : wire.isOver ? 'cut' : 'silent';
      }),
  },
  {
    name: 'connections that say nothing',
    weight: 0.5,
    expected: ['left'],
    draw: ({ between }) => {
      const count = between(5, 80);
      return act({ count }, async stage => {
        await Promise.all(Array.from({ length: count }, () => Wire.open(stage)));
        await stage.pause(stage.scale.silence / 6);
        return 'left';
      });
    },
  },
  {
    name: 'HTTP/1.0',
    weight: 0.3,
    expected: ['answered'],
    draw: ({ random }) => {
      const headers = random.chance(0.5) ? { connection: 'keep-alive' } : {};
      return act({ headers }, async stage => {
        const wire = await Wire.open(stage);
        wire.write(rawPost({ version: '1.0', headers }));
        return firstAnswer(wire, stage);
      });
    },
  },
  {
    name: 'what is no HTTP',
    weight: 0.5,
    expected: ['refused', 'cut'],
    draw: ({ random, between }) => {
      const bytes = random.pick([
        ...[
          '\u0016\u0003\u0001\u0002\u0000',
          'GET / HTTP/9.9\r\n\r\n',
          'GET /graphql\r\n\r\n',
          'POST /graphql HTTP/1.1\r\n\r\n',
        ],
        ...[
          rawPost({ headers: { ...chunked, 'content-length': '5' } }),
          rawPost({ length: -1 }),
          rawPost({ headers: { 'content-length': '1' } }),
        ],
        `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(between(20_000, 500_000))}\r\n\r\n`,
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ]);
      return act({ bytes: bytes.slice(0, 60) }, async stage => {
        const wire = await Wire.open(stage);
        wire.write(bytes);
        return firstAnswer(wire, stage);
      });
    },
  },
];
