import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { Mailbox } from '../mailbox.js';

export const evaluatePath = '/ofrep/v1/evaluate/flags';

interface Schemas {
  readonly evaluationSuccess: { readonly allOf: { oneOf?: unknown; anyOf?: unknown }[] };
}

const document = JSON.parse(readFileSync(new URL('openapi.json', import.meta.url), 'utf8')) as {
  components: { schemas: Schemas };
};
// The published `oneOf` of values forbids them all: an answer without a value fits every one, and an integer is a number too.
for (const part of document.components.schemas.evaluationSuccess.allOf) {
  if (part.oneOf === undefined) continue;
  part.anyOf = part.oneOf;
  delete part.oneOf;
}
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, 'ofrep');

type SchemaName =
  | 'serverEvaluationSuccess'
  | 'evaluationFailure'
  | 'flagNotFound'
  | 'bulkEvaluationSuccess'
  | 'bulkEvaluationFailure'
  | 'generalErrorResponse'
  | 'sseEventData';

/** Compares a body with a schema of the published document. */
export function expectSchema(name: SchemaName, body: unknown): void {
  const isValid = ajv.validate(`ofrep#/components/schemas/${name}`, body);
  expect(isValid, `${name}: ${ajv.errorsText()}\n${JSON.stringify(body)}`).toBe(true);
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
type Body = any;

export interface OfrepAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
}

interface Sent {
  readonly token?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

/** Sends a body as it is, and checks the form that every answer of the protocol has. */
export async function send(url: string, body: string | Uint8Array | null, sent: Sent = {}): Promise<OfrepAnswer> {
  const response = await fetch(url, {
    method: sent.method ?? 'POST',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(sent.token === undefined ? {} : { authorization: `Bearer ${sent.token}` }),
      ...sent.headers,
    },
    body: body as BodyInit | null,
  });
  const text = await response.text();
  const answer = {
    status: response.status,
    headers: response.headers,
    text,
    body: text === '' ? null : JSON.parse(text),
  };
  expectForm(answer);
  return answer;
}

/** Every answer of every status has what the strictest provider reads. */
function expectForm({ status, headers, body }: OfrepAnswer): void {
  expect(headers.get('access-control-expose-headers')).toContain('ETag');
  expect(headers.get('access-control-expose-headers')).toContain('Retry-After');
  expect(headers.get('vary')).toContain('Authorization');
  if (status === 304) return;
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  if (status === 200 && 'flags' in body) {
    expectSchema('bulkEvaluationSuccess', body);
    return;
  }
  if (status === 200) {
    expectSchema('serverEvaluationSuccess', body);
    expect(body).toMatchObject({ key: expect.any(String), variant: expect.any(String), metadata: expect.any(Object) });
    return;
  }
  expect(body).toMatchObject({
    key: expect.any(String),
    errorCode: expect.any(String),
    errorDetails: expect.any(String),
    metadata: expect.any(Object),
  });
  expectSchema('generalErrorResponse', body);
  if (body.errorCode === 'FLAG_NOT_FOUND') expectSchema('flagNotFound', body);
  else expectSchema('evaluationFailure', body);
  expectSchema('bulkEvaluationFailure', body);
}

/** Evaluates one flag. */
export function evaluateOne(url: string, key: string, context?: object, sent: Sent = {}): Promise<OfrepAnswer> {
  return send(`${url}${evaluatePath}/${key}`, JSON.stringify({ context }), sent);
}

/** Evaluates all flags. */
export function evaluateAll(url: string, context?: object, sent: Sent = {}, query = ''): Promise<OfrepAnswer> {
  return send(`${url}${evaluatePath}${query}`, JSON.stringify({ context }), sent);
}

/** The address of the stream in an answer. */
export const streamOf = ({ body }: OfrepAnswer): string => body.eventStreams[0].url;

export interface StreamEvent {
  readonly id?: string;
  readonly data: { readonly type: string; readonly etag: string };
}

export interface EventStream extends AsyncDisposable {
  readonly status: number;
  /** The answer, where it is no stream. */
  readonly body: Body;
  readonly size: number;
  next(): Promise<StreamEvent>;
  readonly ended: Promise<void>;
}

/** Opens a stream of events as an `EventSource` does. */
export async function openStream(url: string, lastId?: string): Promise<EventStream> {
  const abort = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
    signal: abort.signal,
  });
  const events = new Mailbox<StreamEvent>();
  const isStream = response.headers.get('content-type') === 'text/event-stream';
  const body = isStream ? null : await response.json();
  if (!isStream) expectForm({ status: response.status, headers: response.headers, text: '', body });

  async function read(): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1];
        const data = field('data');
        if (data === undefined) continue;
        expect(field('event')).toBe('message');
        expectSchema('sseEventData', JSON.parse(data));
        const id = field('id');
        events.push({ ...(id === undefined ? {} : { id }), data: JSON.parse(data) });
      }
    }
  }

  const ended = (isStream ? read() : Promise.resolve()).catch(() => {}).then(() => events.end(new Error('It ended.')));
  return {
    status: response.status,
    body,
    get size() {
      return events.size;
    },
    next: () => events.next(),
    ended,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await ended;
    },
  };
}
