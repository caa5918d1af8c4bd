import type { ServerResponse } from 'node:http';

/** Answers with one error, in the form that GraphQL gives errors. */
export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, errorOf(code, message));
}

/** The body of an answer with one error, for a connection that has no response to write to. */
export function errorBody(code: string, message: string): string {
  return JSON.stringify(errorOf(code, message));
}

const errorOf = (code: string, message: string) => ({ errors: [{ message, extensions: { code } }] });

/** How long a client may go on sending a body that nobody reads, in milliseconds. */
export const maxLingerTime = 2_000;

/** Answers with this body, or with its headers alone where no more was asked for. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const { req: request } = response;
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(request.method === 'HEAD' ? undefined : JSON.stringify(body));
  if (request.complete) return;
  // Hanging up on a client that is still sending would reset the connection before it has read the answer.
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), maxLingerTime).unref();
  request.once('close', () => clearTimeout(timer));
}
