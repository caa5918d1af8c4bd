import type { IncomingMessage } from 'node:http';

/** Why there is no body. */
export type NoBody = 'gone' | 'too large';

/**
 * Reads a body to its end, and no further than `limit` bytes.
 * @returns `gone` when the client leaves before the end; `too large` as soon as that is known: what follows is not read.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | NoBody> {
  return new Promise(resolve => {
    if (request.destroyed) return resolve('gone');
    if (Number(request.headers['content-length'] ?? 0) > limit) return resolve('too large');
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (body: Buffer | NoBody) => {
      request.off('data', take).off('end', end).off('close', leave);
      resolve(body);
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) {
        request.pause();
        return settle('too large');
      }
      chunks.push(chunk);
    };
    const end = () => settle(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    const leave = () => settle('gone');
    request.on('data', take).once('end', end).once('close', leave);
  });
}
