import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ServerLimits } from '../limits.js';
import type { OriginPolicy } from './cors.js';
import { errorBody, maxLingerTime } from './send.js';

/** Answers bytes that Node could not read as a request. */
export type UnreadableAnswers = (
  error: NodeJS.ErrnoException,
  socket: Duplex,
  isAnswering: boolean,
) => UnreadableStatus | null;

type UnreadableStatus = 400 | 408 | 413 | 431;

/**
 * Makes the function that says why a request could not be read, before a route or a token is known. If an answer to another
 * request is under way on the connection, or nothing can be written any more, the connection is only closed.
 * @returns the status that was answered; null if there was no answer.
 */
export function createUnreadableAnswers(
  origins: OriginPolicy,
  { maxHeaderSize, headersTimeout, requestTimeout }: ServerLimits,
): UnreadableAnswers {
  const number = (value: number) => value.toLocaleString('en');
  const timeouts = `${number(headersTimeout)} ms for the headers, and ${number(requestTimeout)} ms for all of it`;
  const answers: Readonly<Record<UnreadableStatus, readonly [code: string, message: string]>> = {
    400: ['BAD_REQUEST', 'This is no HTTP/1.1 request. If it is TLS: the server speaks plain HTTP.'],
    408: ['REQUEST_TIMEOUT', `The request did not come in time: there are ${timeouts}.`],
    413: ['REQUEST_ENTITY_TOO_LARGE', 'The extensions of the chunks are too large.'],
    431: [
      'REQUEST_HEADER_FIELDS_TOO_LARGE',
      `The address and the headers of a request may have ${number(maxHeaderSize)} bytes together: send a shorter token, fewer cookies, or the query by POST.`,
    ],
  };
  // The origin of the page stands in the headers that could not be read.
  const cors = origins.allowsAll ? 'Access-Control-Allow-Origin: *\r\n' : '';

  return (error, socket, isAnswering) => {
    // The rest of the bytes is no request either.
    if (socket.writableEnded) return null;
    if (isAnswering || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return null;
    }
    const status = statuses[error.code ?? ''] ?? 400;
    const body = errorBody(...answers[status]);
    const headers = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${headers}${cors}\r\n${body}`);
    // Hanging up on a client that is still sending would reset the connection before it has read the answer.
    setTimeout(() => socket.destroy(), maxLingerTime).unref();
    return status;
  };
}

const statuses: Readonly<Record<string, UnreadableStatus>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
