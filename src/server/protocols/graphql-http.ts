import type { IncomingMessage } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, processRegularResult } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { Deadlines } from '../deadlines.js';
import { readBody } from '../http/body.js';
import { whenClosed } from '../http/closed.js';
import { readAccepted } from '../http/media-types.js';
import { sendError } from '../http/response.js';
import type { HttpResponse } from '../http/unsent.js';
import { type Answer, AnswerMemory, type MediaType } from '../operations/kept-answers.js';
import { asWritten } from '../operations/mask-error.js';
import type { Operations } from '../operations/operations.js';
import type { OperationOrigin } from '../operations/origin.js';
import type { PreparedOperation } from '../operations/runner.js';
import type { OpenStreams } from '../operations/streams.js';
import type { EventStreams } from './event-stream.js';
import { type Params, readBodyParams, readUrlParams, wellFormed } from './graphql-params.js';

export interface GraphQLOverHttpOptions {
  readonly operations: Operations;
  readonly streams: OpenStreams;
  readonly eventStreams: EventStreams;
  readonly deadlines: Deadlines;
  /** The largest body of a request, in bytes. */
  readonly maxBodySize: number;
}

/** Answers a GraphQL request whose path, method, media type and token have been found right. */
export type GraphQLOverHttp = (
  request: IncomingMessage,
  response: HttpResponse,
  origin: OperationOrigin,
  /** Takes a place for a stream, in place of the one that the request holds; false when there is none left. */
  becomeStream: () => boolean,
) => Promise<void>;

/** A request that states a longer body, in bytes, is Yoga's: its document would not be kept anyway. */
const longestKeptBody = 16_384;

/** How Yoga answered what was asked in these words, bounded as the documents are. */
const keptMediaTypes = { max: 1_000, maxSize: 1_000_000 };

/**
 * Nine tenths of what a small query costs in Yoga are the `Request`, the `Response` and the streams of the fetch API. So
 * what Yoga has answered once is from then on executed (by the same code) and written here, straight on Node's own request
 * and response. Subscriptions are streams of ours from the first. Everything else is Yoga's: what is asked for the first
 * time, GET, batches, and every request that is malformed. See docs/decisions/0014-a-thin-way-in.md.
 */
export function createGraphQLOverHttp(options: GraphQLOverHttpOptions): GraphQLOverHttp {
  const { operations, streams, eventStreams, deadlines, maxBodySize } = options;
  const { yoga, prepare, execute } = operations;
  /** By `Accept` and document, the media type of the answer: what was negotiated once holds for the same words. */
  const answered = new LRUCache<string, MediaType>({
    ...keptMediaTypes,
    sizeCalculation: (_type, words) => words.length,
  });
  const memory = new AnswerMemory(caller => operations.basisOf(caller));

  /** Executes what Yoga has answered before. False: it is not for this path. */
  async function answer(
    { params, accept, words }: Asked,
    response: HttpResponse,
    origin: OperationOrigin,
  ): Promise<boolean> {
    const mediaType = answered.get(`${accept}\n${params.query}`);
    if (mediaType === undefined) return false;
    const prepared = await prepare(params, origin);
    if (!('document' in prepared)) {
      // Yoga would find the same once more, and log it again.
      await sendErrors(response, { errors: prepared }, mediaType);
      return true;
    }
    const { operation } = prepared;
    const basis = operation.isRepeatable ? operations.basisOf(origin.caller) : null;
    const result = await execute(prepared);
    if (result.errors !== undefined) {
      await sendErrors(response, result, mediaType);
      return true;
    }
    const body = JSON.stringify(result);
    const answer = { mediaType, body, length: Buffer.byteLength(body) };
    // What has changed since the basis was taken may or may not be in the answer: it is then never given again.
    if (basis !== null) memory.keep(origin.caller, words, { operation, ...answer, basis });
    send(response, answer);
    return true;
  }

  function send(response: HttpResponse, { mediaType, body, length }: Answer): void {
    response.writeHead(200, { 'content-type': `${mediaType}; charset=utf-8`, 'content-length': length });
    // Where each character is a byte, nothing need be encoded.
    response.end(body, length === body.length ? 'latin1' : 'utf8');
  }

  /** What status and headers errors lead to is Yoga's to say. */
  async function sendErrors(response: HttpResponse, result: ExecutionResult, mediaType: MediaType): Promise<void> {
    const answer = processRegularResult(asWritten(result), yoga.fetchAPI, mediaType);
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  }

  /** The errors of a subscription that does not begin: as JSON to those who take it, else as its only event. */
  async function refuse(request: IncomingMessage, response: HttpResponse, errors: readonly GraphQLError[]) {
    const { json } = readAccepted(request.headers.accept);
    if (json !== null) return sendErrors(response, { errors }, json);
    await eventStreams.send(response, onlyResult({ errors }), httpOf(errors));
  }

  async function stream(
    request: IncomingMessage,
    response: HttpResponse,
    prepared: PreparedOperation,
    becomeStream: () => boolean,
  ): Promise<void> {
    const { json, events } = readAccepted(request.headers.accept);
    if (!events) {
      response.setHeader('accept', 'text/event-stream');
      return sendError(response, 406, 'NOT_ACCEPTABLE', 'A subscription is sent as text/event-stream: accept that.');
    }
    if (!becomeStream()) return refuse(request, response, [tooManyConnections()]);
    const connection = streams.connection();
    const leave = () => connection.end();
    whenClosed(response, leave);
    const result = await operations.subscribe(prepared);
    if (!isAsyncIterable(result)) {
      return json === null
        ? refuse(request, response, result.errors as readonly GraphQLError[])
        : sendErrors(response, result, json);
    }
    const open = connection.open(result);
    const cancel = deadlines.add(prepared.contextValue.caller.expiresAt, () =>
      connection.end({ errors: [tokenExpired()] }),
    );
    whenClosed(response, cancel);
    await eventStreams.send(response, open);
  }

  return async (request, response, origin, becomeStream) => {
    const accept = request.headers.accept ?? '';
    let asked: unknown;
    let words: string | null = null;
    try {
      if (request.method === 'POST') {
        const body = await readBody(request, maxBodySize);
        if (body === 'gone') return;
        if (body === 'too large') {
          const message = `The body of a request may have at most ${maxBodySize} bytes.`;
          return sendError(response, 413, 'REQUEST_ENTITY_TOO_LARGE', message);
        }
        const text = body.toString();
        if (isShort(request)) {
          words = `${accept}\n${text}`;
          const again = memory.recall(origin.caller, words);
          if (again !== undefined) {
            operations.repeat(again.operation, origin);
            return send(response, again);
          }
        }
        asked = readBodyParams(text);
      } else {
        asked = readUrlParams(request.url ?? '');
      }
    } catch (error) {
      // Yoga knows what it looks like to this client.
      asked = error;
    }
    const params = wellFormed(asked);
    if (params !== null && operations.isSubscription(params)) {
      const prepared = await prepare(params, origin);
      if ('document' in prepared) return stream(request, response, prepared, becomeStream);
      return refuse(request, response, prepared);
    }
    if (params !== null && words !== null && (await answer({ params, accept, words }, response, origin))) return;
    // Where Yoga looks for a body: it has been read already.
    Object.assign(request, { body: nothing });
    const { caller, requestId, address } = origin;
    const context = {
      ...{ caller, requestId, address, asked },
      get log() {
        return origin.log;
      },
    };
    await yoga(request, response, context);
    const mediaType = mediaTypeOf(response);
    if (params !== null && words !== null && mediaType !== null && operations.isKnown(params.query)) {
      answered.set(`${accept}\n${params.query}`, mediaType);
    }
  };
}

interface Asked {
  readonly params: Params;
  readonly accept: string;
  /** What the same answer is found by. */
  readonly words: string;
}

const nothing = Buffer.from('{}');

const mediaTypes: readonly MediaType[] = ['application/json', 'application/graphql-response+json'];

function mediaTypeOf(response: HttpResponse): MediaType | null {
  const type = String(response.getHeader('content-type')).split(';', 1)[0];
  return mediaTypes.find(known => known === type) ?? null;
}

function isShort({ headers }: IncomingMessage): boolean {
  if (headers['content-encoding'] !== undefined) return false;
  const length = Number(headers['content-length'] ?? 0);
  return length > 0 && length <= longestKeptBody;
}

async function* onlyResult(result: ExecutionResult): AsyncGenerator<ExecutionResult> {
  yield result;
}

/** What errors ask for of the answer that carries them, as Yoga reads it for JSON. */
function httpOf(errors: readonly GraphQLError[]) {
  const asked = errors.flatMap(({ extensions: { http } }) => (http === undefined ? [] : [http as HttpExtensions]));
  const statuses = asked.flatMap(({ spec, status }) => (spec === true || status === undefined ? [] : [status]));
  return { status: Math.max(200, ...statuses), headers: Object.assign({}, ...asked.map(({ headers }) => headers)) };
}

interface HttpExtensions {
  readonly spec?: boolean;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const tooManyConnections = () =>
  new GraphQLError('This address holds as many connections open as it may.', {
    extensions: { code: 'TOO_MANY_CONNECTIONS', http: { status: 429, headers: { 'retry-after': '5' } } },
  });

const tokenExpired = () => new GraphQLError('The token has expired.', { extensions: { code: 'UNAUTHENTICATED' } });
