import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken, type TokenRequest } from '../../src/auth/token.js';
import type { Sample } from '../chaos/node-process.js';
import type { Scale } from './attack.js';

export interface StageOptions {
  readonly port: number;
  /** The address that the connections of this stage come from. */
  readonly address: string;
  readonly scale: Scale;
  /** Signs tokens that the server accepts. */
  readonly key: Uint8Array;
  readonly sample: () => Promise<Sample>;
}

/** Where one attack takes place: every connection that it opens, and what it may know of the server. */
export class Stage {
  readonly port: number;
  readonly scale: Scale;
  readonly #options: StageOptions;
  readonly #sockets = new Set<Socket>();

  constructor(options: StageOptions) {
    this.#options = options;
    this.port = options.port;
    this.scale = options.scale;
  }

  /** A connection without a protocol. It is half-open when the server has ended its side, until it is left. */
  async connect(): Promise<Socket> {
    const { port, address } = this.#options;
    const socket = connect({ host: '127.0.0.1', port, localAddress: address, allowHalfOpen: true, noDelay: true });
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    await once(socket, 'connect');
    // How a connection fails is seen by its end.
    socket.on('error', () => undefined);
    return socket;
  }

  /** A token that the server has not seen, of a user unless stated otherwise. */
  token(request: Partial<TokenRequest> & Pick<TokenRequest, 'userId'>): Promise<string> {
    return mintToken(this.#options.key, { role: 'USER', expiresInSeconds: 3_600, ...request });
  }

  /** Bytes that the server holds, after a collection of garbage. */
  async held(): Promise<number> {
    const { heapUsed, external } = await this.#options.sample();
    return heapUsed + external;
  }

  pause(milliseconds: number): Promise<void> {
    return sleep(milliseconds);
  }

  /** Cuts whatever is still connected. */
  async leave(): Promise<void> {
    const gone = [...this.#sockets].map(socket => (socket.closed ? undefined : once(socket, 'close')));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(gone);
  }
}
