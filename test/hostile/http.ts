import { type IncomingMessage, request } from 'node:http';
import type { Outcome } from './attack.js';
import { firstEventIn } from './raw-http.js';
import type { Stage } from './stage.js';
import { verdictOf, verdictOfResult } from './verdict.js';

export interface HostileRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer;
  /** Reads no further once this holds of what has come. */
  readonly isEnough?: (text: string) => boolean;
}

export interface HostileAnswer {
  readonly status: number;
  readonly body: string;
}

/** One request on a connection of its own, answered to its end, or cut, or silent. */
export async function exchange(stage: Stage, sent: HostileRequest): Promise<HostileAnswer | 'cut' | 'silent'> {
  const { method = 'POST', path = '/graphql', headers = {}, body = '', isEnough = () => false } = sent;
  const socket = await stage.connect();
  return new Promise(resolve => {
    const type = method === 'POST' ? { 'content-type': 'application/json' } : {};
    const length = 'transfer-encoding' in headers ? {} : { 'content-length': Buffer.byteLength(body) };
    const outgoing = request({
      method,
      path,
      headers: { host: 'localhost', ...type, ...length, connection: 'close', ...headers },
      createConnection: () => socket,
    });
    const end = (result: HostileAnswer | 'cut' | 'silent') => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end('silent'), stage.scale.patience);
    outgoing.on('error', () => end('cut'));
    outgoing.on('close', () => end('cut'));
    outgoing.on('response', (response: IncomingMessage) => {
      let text = '';
      const status = response.statusCode ?? 0;
      response.setEncoding('utf8');
      response.on('error', () => end('cut'));
      response.on('data', (chunk: string) => {
        text += chunk;
        if (isEnough(text)) end({ status, body: text });
      });
      response.on('end', () => end(response.complete ? { status, body: text } : 'cut'));
    });
    outgoing.end(body);
  });
}

/** What one request came to. */
export async function outcomeOf(stage: Stage, sent: HostileRequest): Promise<Outcome> {
  const answer = await exchange(stage, sent);
  return typeof answer === 'string' ? answer : verdictOf(answer.status, answer.body);
}

export const bearer = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

/** An operation as the body of a request or the payload of a message, with whatever else stands beside it. */
export type Operation = { readonly query: string } & Readonly<Record<string, unknown>>;

export function askHttp(stage: Stage, operation: Operation, token?: string): Promise<Outcome> {
  return outcomeOf(stage, { headers: bearer(token), body: JSON.stringify(operation) });
}

/** Asks for a stream of events and reads the first. */
export async function askSse(stage: Stage, operation: Operation, token?: string): Promise<Outcome> {
  const answer = await exchange(stage, {
    headers: { accept: 'text/event-stream', ...bearer(token) },
    body: JSON.stringify(operation),
    isEnough: text => firstEventIn(text) !== undefined,
  });
  if (typeof answer === 'string') return answer;
  const event = firstEventIn(answer.body);
  return event === undefined ? verdictOf(answer.status, answer.body) : verdictOfResult(JSON.parse(event), event.length);
}
