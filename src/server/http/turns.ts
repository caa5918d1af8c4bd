import type { Socket } from 'node:net';
import { networkKey } from './address.js';
import { Schedule } from './schedule.js';

/** Requests of one connection that may wait for their turn: Node has read them, with their headers, when they come here. */
const maxPipelined = 16;

interface Line {
  isBusy: boolean;
  readonly waiting: (() => Promise<void>)[];
}

/**
 * Answers the requests of one connection one after the other. A client may send many in one segment, and others are to have
 * their turn meanwhile: the first is answered at once, all others as {@link Schedule} has it.
 */
export class Turns {
  readonly #lines = new WeakMap<Socket, Line>();
  readonly #schedule: Schedule;

  constructor(schedule = new Schedule()) {
    this.#schedule = schedule;
  }

  /** Whether the next request of a connection must wait. */
  mustWait(socket: Socket): boolean {
    return this.#lines.get(socket)?.isBusy === true;
  }

  /**
   * Runs `act`, which must not reject, when it is the turn of its connection; never if that has gone.
   * @returns false when too many wait already: the connection is to be closed. To read no more from it would not do, because
   * Node goes on reading after each request.
   */
  run(socket: Socket, act: () => Promise<void>): boolean {
    let line = this.#lines.get(socket);
    if (line === undefined) {
      line = { isBusy: false, waiting: [] };
      this.#lines.set(socket, line);
    }
    if (line.isBusy) return line.waiting.push(act) <= maxPipelined;
    line.isBusy = true;
    this.#run(socket, line, act);
    return true;
  }

  #run(socket: Socket, line: Line, act: () => Promise<void>): void {
    // An async function would keep its state for as long as a stream of events.
    void act().then(() => this.#runNext(socket, line));
  }

  #runNext(socket: Socket, line: Line): void {
    const following = line.waiting.shift();
    if (following === undefined || socket.destroyed) {
      line.waiting.length = 0;
      line.isBusy = false;
      return;
    }
    this.#schedule.add(networkKey(socket.remoteAddress ?? ''), () => {
      // It may have gone while this waited.
      if (socket.destroyed) line.waiting.length = 0;
      else this.#run(socket, line, following);
      return true;
    });
  }
}
