import { connect, type Socket } from 'node:net';

/** The answer to one request. */
export interface Answer {
  readonly status: number;
  /** Milliseconds from writing the request to the last byte of the answer. */
  readonly milliseconds: number;
  /** Only where it was asked for. */
  readonly body: string | null;
}

// Each read is dealt with before the next one, on whichever connection, so that one buffer does for all.
const shared = Buffer.alloc(256 * 1_024);
const blankLine = Buffer.from('\r\n\r\n');
const lastChunk = '0\r\n\r\n';

/**
 * A keep-alive HTTP/1.1 connection with one request on its way at most. Knows as much of HTTP as it takes to find the
 * end of an answer: Content-Length, or the last chunk. Opens anew when the server has closed it.
 */
export class Connection {
  #socket: Socket | null = null;
  #sentAt = 0;
  #onAnswer: ((answer: Answer | null) => void) | null = null;
  #keepBody = false;
  #kept: Buffer[] = [];
  /** The beginning of an answer whose headers are not complete. */
  #head: Buffer | null = null;
  /** Bytes of the body still to come; -1: chunked; null: no answer has begun. */
  #remaining: number | null = null;
  #tail = '';
  #status = 0;

  constructor(
    readonly port: number,
    /** Called when the connection ends or cannot be opened. */
    readonly onBroken: () => void,
  ) {}

  get isBusy(): boolean {
    return this.#onAnswer !== null;
  }

  /** Null: the connection broke before the answer was complete. */
  send(request: Buffer, keepBody: boolean, onAnswer: (answer: Answer | null) => void): void {
    this.#socket ??= this.#open();
    this.#onAnswer = onAnswer;
    this.#keepBody = keepBody;
    this.#kept = [];
    this.#sentAt = performance.now();
    this.#socket.write(request);
  }

  close(): void {
    this.#onAnswer = null;
    this.#socket?.destroy();
    this.#socket = null;
  }

  #open(): Socket {
    const socket = connect({
      host: '127.0.0.1',
      port: this.port,
      noDelay: true,
      onread: {
        buffer: shared,
        callback: length => {
          if (socket === this.#socket) this.#read(shared.subarray(0, length));
          return true;
        },
      },
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#head = null;
      this.#remaining = null;
      this.onBroken();
      this.#finish(null);
    });
    return socket;
  }

  #read(read: Buffer): void {
    const bytes = this.#remaining === null ? this.#readHead(read) : read;
    if (bytes === null || this.#remaining === null) return;
    if (this.#keepBody) this.#kept.push(Buffer.from(bytes));
    if (this.#remaining === -1) {
      this.#tail = (this.#tail + bytes.toString('latin1', Math.max(0, bytes.length - lastChunk.length))).slice(-5);
      if (this.#tail !== lastChunk) return;
    } else {
      this.#remaining -= bytes.length;
      if (this.#remaining > 0) return;
    }
    const isChunked = this.#remaining === -1;
    this.#remaining = null;
    const body = this.#keepBody ? Buffer.concat(this.#kept) : null;
    this.#finish({
      status: this.#status,
      milliseconds: performance.now() - this.#sentAt,
      body: body && (isChunked ? joinChunks(body) : body).toString(),
    });
  }

  /** The bytes after the headers; null while the headers are not complete. */
  #readHead(read: Buffer): Buffer | null {
    const bytes = this.#head === null ? read : Buffer.concat([this.#head, read]);
    const end = bytes.indexOf(blankLine);
    if (end === -1) {
      this.#head = Buffer.from(bytes);
      return null;
    }
    this.#head = null;
    const headers = bytes.toString('latin1', 0, end);
    this.#status = Number(headers.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(headers)?.[1];
    const hasNoBody = this.#status === 304;
    this.#remaining = hasNoBody ? 0 : length === undefined ? -1 : Number(length);
    this.#tail = '';
    return bytes.subarray(end + blankLine.length);
  }

  #finish(answer: Answer | null): void {
    const done = this.#onAnswer;
    this.#onAnswer = null;
    done?.(answer);
  }
}

function joinChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, end), 16);
    chunks.push(body.subarray(end + 2, end + 2 + size));
    at = end + 4 + size;
  }
  return Buffer.concat(chunks);
}
