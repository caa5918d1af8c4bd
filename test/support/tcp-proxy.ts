import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy before a server's socket: a network whose faults a test decides. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  /** What the connections of now share; those of before keep theirs. */
  #line = { isFrozen: false };
  #lastWord: string | null = null;

  private constructor(
    readonly target: string | number,
    readonly port: number,
  ) {}

  /** @param target the path of a Unix socket, or a port of this machine. */
  static async to(target: string | number): Promise<TcpProxy> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const proxy = new TcpProxy(target, port);
    await proxy.open();
    return proxy;
  }

  /** Accepts connections, at the same port each time. */
  async open(): Promise<void> {
    this.renew();
    this.#lastWord = null;
    this.#server = createServer(inner => {
      const line = this.#line;
      const outer = typeof this.target === 'number' ? connect(this.target, '127.0.0.1') : connect(this.target);
      for (const socket of [inner, outer]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          inner.destroy();
          outer.destroy();
        });
      }
      inner.on('data', data => {
        if (line.isFrozen) return;
        outer.write(data);
        if (this.#lastWord !== null && data.includes(this.#lastWord)) line.isFrozen = true;
      });
      outer.on('data', data => line.isFrozen || inner.write(data));
    }).listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** From now on nothing gets through, and nobody is told: connections stay open. */
  freeze(): void {
    this.#line.isFrozen = true;
  }

  /** Freezes all of a moment's connections once the server has been sent this: it gets the word, nobody gets its answer. */
  freezeAfter(word: string): void {
    this.#lastWord = word;
  }

  /** New connections get through; what is frozen stays so. */
  renew(): void {
    this.#line = { isFrozen: false };
  }

  /** Breaks every connection and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }
}
