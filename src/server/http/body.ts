import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { shortened } from '../../core/text.js';

/** Why there is no body. */
export type NoBody = 'gone' | 'too large';

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
