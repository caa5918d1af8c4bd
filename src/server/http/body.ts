import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { shortened } from '../../core/text.js';
import type { ByteBudget } from './byte-budget.js';

/** Why there is no body. */
export type NoBody = 'gone' | 'too large' | 'no room' | 'tiny chunks';

/** Longest part of a header that an error repeats, in UTF-16 code units. */
const maxHeaderEcho = 60;

/** Why a body in this form is not read, for people; null means that it is. Only plain UTF-8 is read. */
export function bodyFormFault(headers: IncomingHttpHeaders): string | null {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    return `The body has the Content-Encoding "${shortened(encoding, maxHeaderEcho)}". Send it without one.`;
  }
  const charset = charsetOf(headers['content-type']);
  if (charset !== null && charset !== 'utf-8' && charset !== 'utf8') {
    return `The body has the character set "${shortened(charset, maxHeaderEcho)}". Send it in UTF-8.`;
  }
  return null;
}

/** The parameter `charset` of a media type, in lower case and without quotes; null where there is none. */
function charsetOf(type = ''): string | null {
  // Nearly every request has none, or none but this one.
  if (!type.includes(';')) return null;
  for (const parameter of type.toLowerCase().split(';').slice(1)) {
    const [name = '', value = ''] = parameter.split('=', 2);
    if (name.trim() === 'charset') return value.trim().replaceAll('"', '');
  }
  return null;
}

const byteOrderMark = 0xfeff;

/** The text of a body, without the byte order mark that may stand before it; null when the bytes are not UTF-8. */
export function textOf(body: Buffer): string | null {
  if (!isUtf8(body)) return null;
  const text = body.toString();
  return text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text;
}

/** Bytes to begin with. */
const firstSize = 4_096;

const nothing = Buffer.alloc(0);

/** Chunks of a body that may be of any size. If there are more, they must have a mean size in bytes. */
const maxTinyChunks = 1_000;
const leastMeanChunk = 16;

export interface BodyLimits {
  /** Bytes of the body. */
  readonly limit: number;
  /** Bounds the bytes of unfinished bodies. */
  readonly budget: ByteBudget;
  /** The address that they are counted for. */
  readonly address: string;
}

/**
 * Reads a body to its end, and no further than its limit.
 * @returns why there is none, as soon as that is known; the rest is not read. `gone`: the client has left. `no room`: too many
 * bytes of unfinished bodies wait. `tiny chunks`: it comes in too many chunks of a few bytes.
 */
export function readBody(request: IncomingMessage, { limit, budget, address }: BodyLimits): Promise<Buffer | NoBody> {
  return new Promise(resolve => {
    if (request.destroyed) return resolve('gone');
    const stated = Number(request.headers['content-length'] ?? 0);
    if (stated > limit) return resolve('too large');
    // One buffer that grows as bytes come. Chunks of one byte, kept apart, would cost hundreds of times their size; and a
    // length that is only stated costs nothing.
    let body: Buffer = nothing;
    let whole: Buffer | null = null;
    let length = 0;
    let chunks = 0;
    const settle = (result: Buffer | NoBody) => {
      budget.release(address, body.length);
      // A stream of events keeps its request as long as it lives. Its listeners would keep the body, as would their promise.
      request.off('data', take).off('end', end).off('close', leave);
      resolve(result);
    };
    const refuse = (reason: NoBody) => {
      request.pause();
      settle(reason);
    };
    const take = (chunk: Buffer) => {
      // Most bodies are one chunk.
      if (length === 0 && chunk.length === stated) {
        whole = chunk;
        return;
      }
      chunks += 1;
      if (length + chunk.length > limit) return refuse('too large');
      // Each chunk has a cost, however small it is.
      if (chunks > maxTinyChunks && length < chunks * leastMeanChunk) return refuse('tiny chunks');
      if (length + chunk.length > body.length) {
        const size = Math.max(firstSize, 2 * body.length, length + chunk.length);
        if (!budget.hold(address, size - body.length)) return refuse('no room');
        const larger = Buffer.allocUnsafe(size);
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      length += chunk.copy(body, length);
    };
    const end = () => settle(whole ?? body.subarray(0, length));
    const leave = () => settle('gone');
    request.on('data', take).on('end', end).on('close', leave);
  });
}
