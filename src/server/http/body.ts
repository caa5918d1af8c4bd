import type { IncomingMessage } from 'node:http';

/** Why there is no body. */
export type NoBody = 'gone' | 'too large';

/** Bytes to begin with where no length is stated. */
const firstSize = 4_096;

/**
 * Reads a body to its end, and no further than `limit` bytes.
 * @returns `gone` when the client leaves before the end; `too large` as soon as that is known: what follows is not read.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | NoBody> {
  return new Promise(resolve => {
    if (request.destroyed) return resolve('gone');
    if (Number(request.headers['content-length'] ?? 0) > limit) return resolve('too large');
    // One buffer that grows: each chunk of its own, a byte perhaps, would cost hundreds of times what it carries.
    let body = Buffer.allocUnsafe(Math.min(limit, Number(request.headers['content-length'] ?? firstSize)));
    let length = 0;
    const settle = (result: Buffer | NoBody) => {
      request.off('data', take).off('end', end).off('close', leave);
      resolve(result);
    };
    const take = (chunk: Buffer) => {
      if (length + chunk.length > limit) {
        request.pause();
        return settle('too large');
      }
      if (length + chunk.length > body.length) {
        const larger = Buffer.allocUnsafe(Math.min(limit, Math.max(2 * body.length, length + chunk.length)));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      length += chunk.copy(body, length);
    };
    const end = () => settle(body.subarray(0, length));
    const leave = () => settle('gone');
    request.on('data', take).once('end', end).once('close', leave);
  });
}
