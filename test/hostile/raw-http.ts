import type { Outcome } from './attack.js';
import type { Stage } from './stage.js';
import { verdictOf, verdictOfResult } from './verdict.js';
import type { Wire } from './wire.js';

// HTTP as its bytes.

/** The operations that most attacks send: what they do with the answer is what matters. */
export const query = JSON.stringify({ query: '{ viewer { featureMap } }' });
export const subscription = JSON.stringify({ query: 'subscription { viewerFeatures { revision } }' });

export const eventStream = { accept: 'text/event-stream' };

export type Headers = Readonly<Record<string, string>>;

export interface RawPost {
  readonly headers?: Headers;
  readonly body?: string;
  /** Bytes that are stated. Default: the body's. */
  readonly length?: number;
  readonly version?: string;
}

export function rawPost({
  headers = {},
  body = query,
  length = Buffer.byteLength(body),
  version = '1.1',
}: RawPost = {}): string {
  const stated = 'transfer-encoding' in headers ? {} : { 'content-length': String(length) };
  const lines = linesOf({ 'content-type': 'application/json', ...stated, ...headers });
  return `POST /graphql HTTP/${version}\r\n${lines}\r\n${body}`;
}

export function rawGet(path: string, headers: Headers = {}): string {
  return `GET ${path} HTTP/1.1\r\n${linesOf(headers)}\r\n`;
}

export const chunked = { 'transfer-encoding': 'chunked' };

/** As a body that is not longer than a byte for each character. */
export const inOneChunk = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

function linesOf(headers: Headers): string {
  return Object.entries({ host: 'localhost', ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** The whole head of the first answer, and what it says of its status and its length. */
export function headOf(
  text: string,
): { readonly size: number; readonly status: number; readonly length: number | null } | null {
  const head = /^HTTP\/1\.1 (\d+).*?\r\n\r\n/s.exec(text);
  if (head === null) return null;
  const length = /^content-length: (\d+)/im.exec(head[0])?.[1];
  return { size: head[0].length, status: Number(head[1]), length: length === undefined ? null : Number(length) };
}

/** The data of the first event, as far as it is all there. */
export const firstEventIn = (text: string) => /^event: next\r?\ndata: ?(.+)\r?\n\r?\n/m.exec(text)?.[1];

/** How many answers have begun. */
export const answersIn = (text: string) => text.split(/HTTP\/1\.1 \d{3} /).length - 1;

/** What the first event of a stream amounts to that was asked for on this wire, or a plain answer in its place. */
export async function firstEvent(wire: Wire, stage: Stage): Promise<Outcome> {
  const event = () => firstEventIn(wire.text);
  const isPlain = () => /^content-type: application\//im.test(wire.text);
  await wire.until(() => event() !== undefined || isPlain() || wire.isOver, stage.scale.patience);
  const data = event();
  if (data !== undefined) return verdictOfResult(JSON.parse(data), data.length);
  return isPlain() ? firstAnswer(wire, stage) : wire.isOver ? 'cut' : 'silent';
}

/** What the first answer on this wire amounts to, once it or the end has come. */
export async function firstAnswer(wire: Wire, stage: Stage): Promise<Outcome> {
  const isWhole = () => {
    const head = headOf(wire.text);
    if (head === null) return false;
    const body = wire.text.length - head.size;
    return head.length === null ? /\r\n0\r\n\r\n$/.test(wire.text) : body >= head.length;
  };
  await wire.until(() => isWhole() || wire.isOver, stage.scale.patience);
  const head = headOf(wire.text);
  if (head === null) return wire.isOver ? 'cut' : 'silent';
  const body = wire.text.slice(head.size);
  // A body in chunks is judged by what stands in the first.
  return verdictOf(head.status, head.length === null ? (/\r\n(.*?)\r\n/s.exec(`${body}`)?.[1] ?? '') : body);
}
