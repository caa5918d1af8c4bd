import type { IncomingMessage } from 'node:http';

/** Why there is no body. */
export type NoBody = 'gone' | 'too large';

/** Bytes to begin with. */
const firstSize = 4_096;

const nothing = Buffer.alloc(0);

/**
 * Reads a body to its end, and no further than `limit` bytes.
 * @returns `gone` when the client leaves before the end; `too large` as soon as that is known: the rest is not read.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | NoBody> {
  return new Promise(resolve => {
    if (request.destroyed) return resolve('gone');
    const stated = Number(request.headers['content-length'] ?? 0);
    if (stated > limit) return resolve('too large');
    // One buffer that grows as bytes come. Chunks of one byte, kept apart, would cost hundreds of times their size; and a
    // length that is only stated costs nothing.
    let body: Buffer = nothing;
    let length = 0;
    const settle = (result: Buffer | NoBody) => {
      body = nothing;
      resolve(result);
    };
    const take = (chunk: Buffer) => {
      // Most bodies are one chunk.
      if (length === 0 && chunk.length === stated) {
        body = chunk;
        length = stated;
        return;
      }
      if (length + chunk.length > limit) {
        request.pause().off('data', take);
        return settle('too large');
      }
      if (length + chunk.length > body.length) {
        const larger = Buffer.allocUnsafe(Math.max(firstSize, 2 * body.length, length + chunk.length));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      length += chunk.copy(body, length);
    };
    const end = () => settle(body.subarray(0, length));
    const leave = () => settle('gone');
    request.on('data', take).on('end', end).on('close', leave);
  });
}
