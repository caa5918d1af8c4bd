import type { Socket } from 'node:net';
import type { Stage } from './stage.js';

/** What is kept of what has come, in bytes; beyond that it is only counted. */
const kept = 4_000_000;

/** Bytes in both directions, and when they end. */
export class Wire {
  /** How many have come. */
  bytes = 0;
  /** The server has ended its side, or the connection is broken. */
  isOver = false;
  /** What has come, a character a byte. */
  text = '';
  readonly #onChange = new Set<() => void>();

  /** @param take what to do with what comes. Absent: it is kept as {@link text}. */
  constructor(
    readonly socket: Socket,
    take?: (chunk: Buffer) => void,
  ) {
    const change = () => {
      for (const look of [...this.#onChange]) look();
    };
    const over = () => {
      this.isOver = true;
      change();
    };
    socket.on('data', chunk => {
      this.bytes += chunk.length;
      if (take !== undefined) take(chunk);
      else if (this.bytes <= kept) this.text += chunk.toString('latin1');
      change();
    });
    socket.once('end', over);
    socket.once('close', over);
  }

  static async open(stage: Stage): Promise<Wire> {
    return new Wire(await stage.connect());
  }

  write(data: string | Buffer): void {
    if (this.socket.writable) this.socket.write(data);
  }

  /** Whether the condition came to hold in time. It is looked at whenever something comes and when the wire ends. */
  until(condition: () => boolean, milliseconds: number): Promise<boolean> {
    return new Promise(resolve => {
      const end = (holds: boolean) => {
        clearTimeout(timer);
        this.#onChange.delete(look);
        resolve(holds);
      };
      const look = () => {
        if (condition()) end(true);
      };
      const timer = setTimeout(() => end(condition()), milliseconds);
      this.#onChange.add(look);
      look();
    });
  }

  /** Whether it ended in time. */
  end(milliseconds: number): Promise<boolean> {
    return this.until(() => this.isOver, milliseconds);
  }

  /** @param isReset without the usual goodbye of TCP. */
  leave(isReset = false): void {
    if (isReset) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }
}
