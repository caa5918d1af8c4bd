import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HttpResponse } from '../../src/server/http/http-response.js';
import { Intake } from '../../src/server/http/intake.js';
import { Turns } from '../../src/server/http/turns.js';
import { UnsentBytes } from '../../src/server/http/unsent-bytes.js';
import { until } from '../support/wait.js';

/** The clock of the intake in the tests of its rules. */
let now = 0;

/** Takes time, as the parsing of many small parts does. */
function work(milliseconds: number): void {
  now += milliseconds;
}

function withOwnClock(): void {
  beforeEach(() => {
    now = 1_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
}

/** A connection, as far as the intake sees it. Each piece takes a while. */
function connection(name: string, address: string, seen: string[], cost = 4) {
  class Connection extends Readable {
    readonly remoteAddress = address;

    override _read(): void {}

    override push(chunk: Buffer | null): boolean {
      // Has no meaning but to begin reading anew.
      if (chunk?.length === 0) return true;
      seen.push(`${name} ${chunk?.length ?? 'end'}`);
      work(cost);
      return true;
    }
  }
  return new Connection() as unknown as Socket;
}

const bytes = (length: number) => Buffer.alloc(length);

/** A client of a server that has just been made. */
async function clientOf(server: Server): Promise<Socket> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return connect((server.address() as AddressInfo).port, '127.0.0.1');
}

describe('bytes of guarded connections', () => {
  withOwnClock();

  const opened = (...sockets: Socket[]) => {
    const intake = new Intake();
    for (const socket of sockets) {
      intake.add(socket);
      intake.guard(socket);
    }
    return intake;
  };

  it('are parsed at once while there is time, in pieces of 16 kB', async () => {
    const seen: string[] = [];
    const socket = connection('a', '192.0.2.1', seen, 0);
    opened(socket);
    // All that comes after a pause waits for a turn once.
    expect(socket.push(bytes(1))).toBe(false);
    while (seen.length === 0) await nextTurn();
    expect(socket.push(bytes(40_000))).toBe(true);
    expect(seen).toEqual(['a 1', 'a 16384', 'a 16384', 'a 7232']);
  });

  it('wait when a turn has taken ten milliseconds; then the addresses take turns, and the end comes last', async () => {
    const seen: string[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map(name => connection(name, name === 'c' ? '192.0.2.2' : '192.0.2.1', seen)) as [
      Socket,
      Socket,
      Socket,
    ];
    const intake = opened(a, b, c);
    expect(a.push(bytes(16_384 * 8))).toBe(false);
    expect([a, b].map(socket => intake.hasWaiting(socket))).toEqual([true, false]);
    const atOnce = seen.length;
    expect(atOnce).toBeLessThan(5);
    expect([b.push(bytes(5)), c.push(bytes(6)), c.push(null), a.push(null)]).toEqual([false, false, false, false]);
    expect(seen).toHaveLength(atOnce);
    while (!seen.includes('a end')) await nextTurn();
    const after = seen.slice(atOnce);
    expect(after.slice(0, 4)).toEqual(['a 16384', 'c 6', 'b 5', 'c end']);
    expect(seen.filter(each => each === 'a 16384')).toHaveLength(8);
    expect(seen.at(-1)).toBe('a end');
    expect(intake.hasWaiting(a)).toBe(false);
  });

  it('leave a turn to all else after ten milliseconds', async () => {
    const seen: string[] = [];
    const socket = connection('a', '192.0.2.1', seen);
    opened(socket);
    socket.push(bytes(16_384 * 40));
    let turns = 0;
    while (seen.length < 40) {
      await nextTurn();
      turns += 1;
    }
    expect(turns).toBeGreaterThan(8);
  });

  it('have one turn in each turn of the loop, whenever they come', async () => {
    const seen: string[] = [];
    const [a, b] = [connection('a', '192.0.2.1', seen, 20), connection('b', '192.0.2.2', seen)] as [Socket, Socket];
    opened(a, b);
    a.push(bytes(1));
    // Comes when nothing waits any more, and before the turns of the last bytes have ended.
    const pushA = seen.push.bind(seen);
    seen.push = (...what) => {
      if (what[0] === 'a 1') void Promise.resolve().then(() => b.push(bytes(16_384 * 40)));
      return pushA(...what);
    };
    const counts: number[] = [];
    while (!seen.includes('b 16384') || counts.at(-1) !== 0) {
      const before = seen.length;
      await nextTurn();
      counts.push(seen.length - before);
    }
    expect(seen.filter(each => each === 'b 16384')).toHaveLength(40);
    // One connection that waits has one piece a turn.
    expect(Math.max(...counts)).toBe(1);
  });

  it('wait while connections come, for 32 rounds of the loop, because each round accepts one', async () => {
    const seen: string[] = [];
    const socket = connection('a', '192.0.2.1', seen, 20);
    const intake = opened(socket);
    /** How many rounds there were before each of so many pieces, if a connection is accepted in some rounds. */
    const roundsBetween = async (pieces: number, isAccepted: (round: number) => boolean) => {
      const counts: number[] = [];
      for (let round = 0; counts.length < pieces; round += 1) {
        const before = seen.length;
        if (isAccepted(round)) intake.add(connection('other', '192.0.2.2', []));
        await nextTurn();
        if (seen.length > before) {
          counts.push(round);
          round = 0;
        }
      }
      return counts.slice(2);
    };
    socket.push(bytes(16_384 * 40));
    expect(await roundsBetween(6, () => true)).toEqual([33, 33, 33, 33]);
    // As many as have come, and then one in vain.
    expect(Math.max(...(await roundsBetween(6, round => round < 5)))).toBe(6);
    expect(await roundsBetween(6, () => false)).toEqual([1, 1, 1, 1]);
  });

  it('are dropped when their connection has gone', async () => {
    const seen: string[] = [];
    const socket = connection('a', '192.0.2.1', seen, 20);
    opened(socket);
    socket.push(bytes(40_000));
    while (seen.length === 0) await nextTurn();
    socket.destroy();
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    expect(seen).toEqual(['a 16384']);
  });
});

describe('a connection', () => {
  withOwnClock();

  const request = (socket: Socket, headers = {}) => ({ socket, headers }) as IncomingMessage;

  it.each([
    ['in chunks', { 'transfer-encoding': 'chunked' }, true],
    ['of many bytes', { 'content-length': '20000' }, true],
    ['of few bytes', { 'content-length': '200' }, false],
  ])('that sends a body %s: guarded %j, %s', (_name, headers, isGuarded) => {
    const intake = new Intake();
    const socket = connection('a', '192.0.2.1', []);
    const { push } = socket;
    intake.add(socket);
    intake.receive(request(socket, headers));
    expect(socket.push !== push).toBe(isGuarded);
  });

  it('is guarded with all others when a turn takes too long, and so are new ones', async () => {
    const intake = new Intake();
    const sockets = ['a', 'b', 'c'].map(name => connection(name, '192.0.2.1', []));
    const pushes = sockets.map(({ push }) => push);
    const guarded = () => sockets.filter((socket, index) => socket.push !== pushes[index]).length;
    const [a, b, c] = sockets as [Socket, Socket, Socket];
    intake.add(a);
    intake.add(b);
    // Many turns, each short, together long.
    for (let turn = 0; turn < 4; turn += 1) {
      intake.receive(request(a));
      work(40);
      await nextTurn();
      await nextTurn();
    }
    expect(guarded()).toBe(0);
    const closed = connection('closed', '192.0.2.1', []);
    const { push } = closed;
    intake.add(closed);
    closed.destroy();
    await nextTurn();
    work(110);
    intake.receive(request(a));
    work(110);
    intake.receive(request(a));
    expect(guarded()).toBe(2);
    expect(closed.push).toBe(push);
    intake.add(c);
    expect(guarded()).toBe(3);
  });
});

describe('a connection that is paused', () => {
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

  /** A connection whose first request has been answered. */
  async function answered() {
    const intake = new Intake();
    const server = createServer((_request, response) => response.end('answer'));
    const connected = new Promise<Socket>(resolve => server.on('connection', resolve));
    server.on('connection', socket => intake.add(socket));
    const client = await clientOf(server);
    let text = '';
    client.on('data', chunk => {
      text += chunk;
    });
    const answers = () => text.split('answer').length - 1;
    client.write(request);
    await until(() => answers() === 1, 'the first request is answered');
    const stop = async () => {
      client.destroy();
      await new Promise(resolve => server.close(resolve));
    };
    return { intake, socket: await connected, client, answers, [Symbol.asyncDispose]: stop };
  }

  it('when it comes to be guarded is read on when it is resumed, and its end is seen', async () => {
    await using opened = await answered();
    const { intake, socket, client, answers } = opened;
    socket.pause();
    // Node tells its parser of a pause in a later turn.
    await nextTurn();
    intake.guard(socket);
    client.write(request);
    await nextTurn();
    socket.resume();
    await until(() => answers() === 2, 'the second request is answered');
    client.destroy();
    await until(() => socket.destroyed, 'its end is seen');
  });

  it('while it is guarded is read no further than one chunk, and on from there when it is resumed', async () => {
    await using opened = await answered();
    const { intake, socket, client, answers } = opened;
    intake.guard(socket);
    socket.pause();
    const before = socket.bytesRead;
    client.write(request);
    await until(() => socket.bytesRead === before + request.length && intake.hasWaiting(socket), 'one chunk has come');
    for (let times = 0; times < 5; times += 1) {
      client.write(request);
      await sleep(10);
    }
    expect(socket.bytesRead).toBe(before + request.length);
    expect(answers()).toBe(1);
    socket.resume();
    await until(() => answers() === 7, 'all is answered');
    socket.pause();
    client.write(request);
    await until(() => intake.hasWaiting(socket), 'one more waits');
    socket.destroy();
    await until(() => !intake.hasWaiting(socket), 'nothing is kept of it');
  });
});

describe('a connection that Node has paused, because much waits for its reader', () => {
  it('stays so when one of its answers is taken, until Node resumes it', async () => {
    const intake = new Intake();
    const size = 5_000_000;
    const policy = {
      unsent: new UnsentBytes({ unsentPerAddress: 1e9, unsentInAll: 1e9 }),
      patience: 60_000,
      onCut: () => {},
    };
    let asked = 0;
    const server = createServer<typeof IncomingMessage, typeof HttpResponse>(
      { ServerResponse: HttpResponse },
      (_request, response) => {
        asked += 1;
        response.charge('192.0.2.1', policy);
        response.end('x'.repeat(size));
      },
    );
    const connected = new Promise<Socket>(resolve => server.on('connection', resolve));
    server.on('connection', socket => {
      intake.add(socket);
      intake.guard(socket);
    });
    const client = await clientOf(server);
    let read = 0;
    client.pause().on('data', chunk => {
      read += chunk.length;
      // The first is there, and the others wait behind the second.
      if (read > size && asked < 6) client.pause();
    });
    const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    client.write(request.repeat(5));
    await until(() => asked >= 3, 'they have come');
    client.resume();
    await until(() => read > size, 'the first is taken');
    client.write(request);
    await sleep(50);
    expect((await connected).isPaused()).toBe(true);
    client.resume();
    await until(() => {
      client.resume();
      return read > 6 * size;
    }, 'all are answered');
    client.destroy();
    await new Promise(resolve => server.close(resolve));
  });
});

describe('a connection whose bytes wait', () => {
  it('has at most one chunk of them here, however much is sent', async () => {
    const intake = new Intake();
    let taken = 0;
    let most = 0;
    const server = createNetServer(socket => {
      intake.add(socket);
      socket.on('data', chunk => {
        taken += chunk.length;
        most = Math.max(most, socket.bytesRead - taken);
        // Two pieces fill a turn.
        for (const end = performance.now() + 5; performance.now() < end; );
      });
      intake.guard(socket);
    });
    const client = await clientOf(server);
    const size = 4_000_000;
    client.write(Buffer.alloc(size));
    await until(() => taken === size, 'all is taken');
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(65_536);
    client.destroy();
    await new Promise(resolve => server.close(resolve));
  });
});

describe('requests behind others of their connections', () => {
  withOwnClock();

  it('are dropped when the connection goes while they wait for their turn', async () => {
    const turns = new Turns();
    const socket = connection('a', '192.0.2.1', []);
    const act = vi.fn(async () => {});
    for (let request = 0; request < 3; request += 1) turns.run(socket, act);
    // The second is planned as soon as the first has been answered.
    await Promise.resolve();
    await Promise.resolve();
    socket.destroy();
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    expect(act).toHaveBeenCalledTimes(1);
  });

  it('are answered for ten milliseconds in a turn, and the addresses take turns', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const sockets = Array.from({ length: 12 }, (_, index) =>
      connection(String.fromCharCode(97 + index), `192.0.2.${index < 11 ? 1 : 2}`, []),
    );
    for (const [index, socket] of sockets.entries()) {
      for (let request = 0; request < 4; request += 1) {
        turns.run(socket, async () => {
          seen.push(`${index} ${request}`);
          work(4);
        });
      }
    }
    // The first of each is answered at once.
    expect(seen).toHaveLength(12);
    const counts: number[] = [];
    while (seen.length < 48) {
      const before = seen.length;
      await nextTurn();
      counts.push(seen.length - before);
    }
    expect(Math.max(...counts)).toBe(3);
    // The only one of its address has every second turn.
    expect(seen.indexOf('11 3')).toBeLessThan(12 + 8);
  });
});
