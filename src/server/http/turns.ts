import type { Socket } from 'node:net';

/** Requests of one connection that wait, from how many on nothing more is read from it. */
const mostWaiting = 16;

/**
 * Answers the requests of one connection one after the other, with a turn of the event loop between two: a client may send
 * hundreds in one segment, and others are to have their turn meanwhile. The first is answered at once.
 * @returns what runs `act`, which must not reject, when it is the turn of its connection; never when that has gone.
 */
export function createTurns(): (socket: Socket, act: () => Promise<void>) => void {
  const waiting = new WeakMap<Socket, (() => Promise<void>)[]>();

  function run(socket: Socket, act: () => Promise<void>): void {
    void act().then(() => next(socket));
  }

  function next(socket: Socket): void {
    const queue = waiting.get(socket);
    const following = queue?.shift();
    if (following === undefined || socket.destroyed) {
      waiting.delete(socket);
      return;
    }
    if (queue?.length === mostWaiting - 1) socket.resume();
    setImmediate(() => run(socket, following));
  }

  return (socket, act) => {
    const queue = waiting.get(socket);
    if (queue === undefined) {
      waiting.set(socket, []);
      run(socket, act);
      return;
    }
    queue.push(act);
    if (queue.length === mostWaiting) socket.pause();
  };
}
