import type { JsonObject } from '../../src/core/json.js';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode?: number;
  readonly isLast?: boolean;
  /** Clients must mask. The key is all zeros, so that the payload stands as it is. */
  readonly isMasked?: boolean;
  /** Any of the three reserved bits, as 0x40, 0x20 and 0x10. */
  readonly reserved?: number;
  /** The length that is stated. Default: the payload's. */
  readonly length?: number;
}

/** A frame of a WebSocket as a client sends it, or as none should. */
export function frame(payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload);
  const { opcode = opcodes.text, isLast = true, isMasked = true, reserved = 0, length = bytes.length } = options;
  const mask = isMasked ? 0x80 : 0;
  const first = (isLast ? 0x80 : 0) | reserved | opcode;
  let head: Buffer;
  if (length < 126) {
    head = Buffer.from([first, mask | length]);
  } else if (length < 65_536) {
    head = Buffer.from([first, mask | 126, length >> 8, length & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = mask | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), bytes]);
}

export const message = (content: JsonObject | object) => frame(JSON.stringify(content));

/** So many of them, to be sent in one write. */
export const repeated = (count: number, make: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** A frame that closes, with this code. */
export function closing(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return frame(payload, { opcode: opcodes.close });
}

export interface ReadFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes the bytes that a server sends apart into frames. It sends each message in one, and masks none. */
export class FrameReader {
  #rest: Buffer[] = [];
  #size = 0;
  /** Bytes without which there is no use in looking. */
  #needed = 2;

  read(chunk: Buffer): ReadFrame[] {
    this.#rest.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return [];
    let bytes = Buffer.concat(this.#rest);
    const frames: ReadFrame[] = [];
    for (;;) {
      const { start, end } = extent(bytes);
      this.#needed = end;
      if (bytes.length < end) break;
      frames.push({ opcode: (bytes[0] as number) & 0x0f, payload: bytes.subarray(start, end) });
      bytes = bytes.subarray(end);
    }
    this.#rest = [bytes];
    this.#size = bytes.length;
    return frames;
  }
}

/** Where the payload of the first frame starts and ends, as far as that is known by these bytes. */
function extent(bytes: Buffer): { readonly start: number; readonly end: number } {
  if (bytes.length < 2) return { start: 2, end: 2 };
  const length = (bytes[1] as number) & 0x7f;
  if (length < 126) return { start: 2, end: 2 + length };
  const start = length === 126 ? 4 : 10;
  if (bytes.length < start) return { start, end: start };
  return { start, end: start + (length === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))) };
}
