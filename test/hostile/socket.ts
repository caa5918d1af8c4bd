import type { GraphQLAnswer } from '../support/clients.js';
import type { Outcome } from './attack.js';
import { FrameReader, frame, message, opcodes, type ReadFrame } from './frames.js';
import type { Operation } from './http.js';
import type { Stage } from './stage.js';
import { verdictOf, verdictOfResult } from './verdict.js';
import { Wire } from './wire.js';

export interface HostileSocketOptions {
  readonly protocol?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it answers the server's pings. Default true. */
  readonly answersPings?: boolean;
}

/** The server would not have the upgrade. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused';

  constructor(readonly outcome: Outcome) {
    super(`The upgrade was ${outcome}.`);
  }
}

/** A WebSocket down to its bytes: it sends whatever it likes and counts what comes back. */
export class HostileSocket {
  /** How many messages of each type have come, and how many results with each root field, such as `next viewer`. */
  readonly counts = new Map<string, number>();
  /** By id of the operation, what its first result amounts to. */
  readonly results = new Map<string, Outcome>();
  /** Null while it is open, and when it was cut without one. */
  closeCode: number | null = null;
  readonly wire: Wire;
  readonly #frames = new FrameReader();
  readonly #answersPings: boolean;
  readonly #patience: number;
  #head: string | null = '';

  private constructor(
    { socket }: Wire,
    { scale }: Stage,
    { protocol = 'graphql-transport-ws', headers = {}, answersPings = true }: HostileSocketOptions,
  ) {
    this.#answersPings = answersPings;
    this.#patience = scale.patience;
    this.wire = new Wire(socket, chunk => this.#take(chunk));
    const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.wire.write(upgradeHead(protocol, own.join('')));
  }

  /** @throws UpgradeRefused */
  static async open(stage: Stage, options: HostileSocketOptions = {}): Promise<HostileSocket> {
    const socket = new HostileSocket(await Wire.open(stage), stage, options);
    await socket.wire.until(() => socket.#head === null || socket.wire.isOver, stage.scale.patience);
    const head = socket.#head;
    if (head === null) return socket;
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0);
    if (status > 0) throw new UpgradeRefused(verdictOf(status, head.split('\r\n\r\n')[1] ?? ''));
    throw new UpgradeRefused(socket.wire.isOver ? 'cut' : 'silent');
  }

  /** Opens one that has introduced itself. */
  static async begin(stage: Stage, payload?: object, options?: HostileSocketOptions): Promise<HostileSocket> {
    const socket = await HostileSocket.open(stage, options);
    socket.send({ type: 'connection_init', ...(payload === undefined ? {} : { payload }) });
    await socket.until(() => socket.count('connection_ack') > 0);
    return socket;
  }

  count(type: string): number {
    return this.counts.get(type) ?? 0;
  }

  send(content: object): void {
    this.wire.write(message(content));
  }

  subscribe(id: string, operation: Operation): void {
    this.send({ id, type: 'subscribe', payload: operation });
  }

  /** Waits until this holds or it is closed, but not for ever; false: it is closed, or nothing came. */
  async until(condition: () => boolean, milliseconds = this.#patience): Promise<boolean> {
    await this.wire.until(() => condition() || this.closeCode !== null || this.wire.isOver, milliseconds);
    return condition();
  }

  /** What the operation of this id came to. */
  async result(id: string): Promise<Outcome> {
    await this.until(() => this.results.has(id));
    return this.results.get(id) ?? this.state();
  }

  /** How it ended, or `silent`. */
  async ending(milliseconds?: number): Promise<Outcome> {
    await this.until(() => false, milliseconds);
    return this.state();
  }

  /** Whether it still answers. */
  async alive(): Promise<Outcome> {
    const before = this.count('pong');
    this.send({ type: 'ping' });
    return (await this.until(() => this.count('pong') > before)) ? 'answered' : this.state();
  }

  /** What became of it so far. */
  state(): Outcome {
    if (this.closeCode !== null) return `closed ${this.closeCode}`;
    return this.wire.isOver ? 'cut' : 'silent';
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    if (this.#head !== null) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0 || !this.#head.startsWith('HTTP/1.1 101')) return;
      rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
      this.#head = null;
    }
    if (rest.length > 0) for (const read of this.#frames.read(rest)) this.#receive(read);
  }

  #receive({ opcode, payload }: ReadFrame): void {
    if (opcode === opcodes.close) this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    else if (opcode === opcodes.ping && this.#answersPings) this.wire.write(frame(payload, { opcode: opcodes.pong }));
    else if (opcode === opcodes.pong) this.#counted('pong frame');
    else if (opcode === opcodes.text) this.#receiveMessage(payload.toString());
  }

  #receiveMessage(text: string): void {
    const { type, id, payload } = JSON.parse(text) as { type: string; id?: string; payload?: unknown };
    this.#counted(type);
    if (type === 'next') for (const field in (payload as GraphQLAnswer).data) this.#counted(`next ${field}`);
    if (id === undefined || this.results.has(id)) return;
    if (type === 'next') this.results.set(id, verdictOfResult(payload as GraphQLAnswer, text.length));
    if (type === 'error') this.results.set(id, verdictOfResult({ errors: payload } as GraphQLAnswer, text.length));
  }

  #counted(type: string): void {
    this.counts.set(type, this.count(type) + 1);
  }
}

export function upgradeHead(protocol = 'graphql-transport-ws', more = ''): string {
  return `GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${protocol}\r\n${more}\r\n`;
}

/** Asks one operation over a socket of its own. */
export async function askSocket(stage: Stage, operation: Operation, token?: string): Promise<Outcome> {
  const payload = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const socket = await HostileSocket.begin(stage, payload);
  if (socket.count('connection_ack') === 0) return socket.state();
  socket.subscribe('1', operation);
  return socket.result('1');
}
