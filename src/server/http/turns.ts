import type { Socket } from 'node:net';

/** Requests of one connection that wait; from this number on nothing more is read from it. */
const mostWaiting = 16;

interface Line {
  isBusy: boolean;
  readonly waiting: (() => Promise<void>)[];
}

/**
 * Answers the requests of one connection one after the other, with a turn of the event loop between two: a client may send
 * hundreds in one segment, and others are to have their turn meanwhile. The first is answered at once.
 * @returns a function that runs `act`, which must not reject, when it is the turn of its connection; never if that has gone.
 */
export function createTurns(): (socket: Socket, act: () => Promise<void>) => void {
  const lines = new WeakMap<Socket, Line>();

  async function run(socket: Socket, line: Line, act: () => Promise<void>): Promise<void> {
    await act();
    const following = line.waiting.shift();
    if (following === undefined || socket.destroyed) {
      line.waiting.length = 0;
      line.isBusy = false;
      return;
    }
    if (line.waiting.length === mostWaiting - 1) socket.resume();
    setImmediate(() => void run(socket, line, following));
  }

  return (socket, act) => {
    let line = lines.get(socket);
    if (line === undefined) {
      line = { isBusy: false, waiting: [] };
      lines.set(socket, line);
    }
    if (line.isBusy) {
      line.waiting.push(act);
      if (line.waiting.length === mostWaiting) socket.pause();
      return;
    }
    line.isBusy = true;
    void run(socket, line, act);
  };
}
