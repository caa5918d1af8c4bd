import type { ExecutionResult } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { HttpResponse } from '../http/http-response.js';
import { acceptsAnswers } from '../http/media-types.js';
import type { HttpRequest } from '../http/request.js';
import { sendError } from '../http/send.js';
import { AnswerMemory, type AnswerStore, type KeptAnswer } from '../operations/kept-answers.js';
import type { KnownOperation } from '../operations/known-operation.js';
import { asWritten } from '../operations/mask-error.js';
import type { Operations } from '../operations/operations.js';
import type { OperationOrigin } from '../operations/origin.js';
import { answerText } from '../operations/result-text.js';
import { graphqlPath, type Params } from './graphql-params.js';

type MediaType = 'application/json' | 'application/graphql-response+json';

/** The answer to an operation. */
interface Answer {
  readonly mediaType: MediaType;
  readonly body: string;
  /** Of the body, in bytes. */
  readonly length: number;
}

interface KeptResult extends Answer, KeptAnswer {
  readonly body: string;
  readonly operation: KnownOperation;
}

/** The parameters of a request, as text and as read. */
export interface Asked {
  /** The body; null where there is none. */
  readonly text: string | null;
  /** The input of Yoga: the parameters, or the error for those that could not be read. */
  readonly asked: unknown;
  /** The parameters where they are well-formed. */
  readonly params: Params | null;
}

/** Answers queries and mutations with JSON. */
export interface FastPath {
  /** Gives an answer again that would be the same. False where there is none. */
  repeat(request: HttpRequest, response: HttpResponse<HttpRequest>, origin: OperationOrigin, text: string): boolean;
  answer(
    request: HttpRequest,
    response: HttpResponse<HttpRequest>,
    origin: OperationOrigin,
    asked: Asked,
  ): Promise<void>;
}

/** A request that states a longer body, in bytes, is Yoga's: its document would not be kept anyway. */
const maxFastBody = 16_384;

/** The media types of Yoga's answers, by the words of the request; bounded as the documents are. */
const maxKeptMediaTypes = 1_000;
const maxKeptMediaTypeLength = 1_000_000;

/**
 * Nine tenths of the cost of a small query in Yoga are the `Request`, the `Response` and the streams of the fetch API. So a
 * query that Yoga has answered once is from then on executed (by the same code) and written here, straight on Node's own
 * request and response. Yoga answers all others: the first request for a query, GET, batches, and every request that is
 * malformed. See docs/decisions/0014-a-fast-path.md.
 */
export function createFastPath(operations: Operations, kept: AnswerStore): FastPath {
  const { yoga, prepare, execute } = operations;
  /** By `Accept` and document, the media type of the answer: the same words negotiate the same type. */
  const answered = new LRUCache<string, MediaType>({
    max: maxKeptMediaTypes,
    maxSize: maxKeptMediaTypeLength,
    sizeCalculation: (_type, words) => words.length,
  });
  const memory = new AnswerMemory<KeptResult>(operations, kept, 'graphql');

  /** Executes a query that Yoga has answered before, and writes the answer. */
  async function execution(
    params: Params,
    words: string,
    mediaType: MediaType,
    response: HttpResponse<HttpRequest>,
    origin: OperationOrigin,
  ): Promise<void> {
    const prepared = await prepare(params, origin);
    // Yoga would find the same once more, and log it again.
    if (!('document' in prepared)) return sendErrors(response, { errors: prepared }, mediaType);
    const { operation } = prepared;
    const stamp = operation.isRepeatable ? operations.stampOf(origin.caller) : null;
    const result = await execute(prepared);
    if (result.errors !== undefined) return sendErrors(response, result, mediaType);
    const body = answerText(result.data);
    const answer = { mediaType, body, length: Buffer.byteLength(body) };
    // A change since the stamp was taken may or may not be in the answer: that answer is never given again.
    if (stamp !== null) {
      memory.keep(origin, words, { operation, ...answer, stamp, questions: prepared.contextValue.questions });
    }
    send(response, answer);
  }

  function send(response: HttpResponse<HttpRequest>, { mediaType, body, length }: Answer): void {
    response.writeHead(200, { 'content-type': `${mediaType}; charset=utf-8`, 'content-length': length });
    // Where each character is a byte, nothing need be encoded.
    response.end(body, length === body.length ? 'latin1' : 'utf8');
  }

  /** Yoga decides the status and the headers for errors. */
  async function sendErrors(
    response: HttpResponse<HttpRequest>,
    result: ExecutionResult,
    mediaType: MediaType,
  ): Promise<void> {
    const answer = processRegularResult(asWritten(result), yoga.fetchAPI, mediaType);
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  }

  return {
    repeat(request, response, origin, text) {
      if (!isShort(request)) return false;
      const again = memory.recall(origin, wordsOf(request, text));
      if (again === undefined) return false;
      operations.repeat(again.operation, origin);
      again.questions?.repeat();
      send(response, again);
      return true;
    },

    async answer(request, response, origin, { text, asked, params }) {
      const isKeepable = params !== null && text !== null && isShort(request);
      const known = isKeepable ? wordsOf(request, params.query) : null;
      const mediaType = known === null ? undefined : answered.get(known);
      if (isKeepable && mediaType !== undefined) {
        return execution(params, wordsOf(request, text), mediaType, response, origin);
      }
      // Yoga would execute it before it finds no form for the answer.
      if (!acceptsAnswers(request.headers.accept)) return sendError(response, 406, 'NOT_ACCEPTABLE', notAcceptable);
      // Where Yoga looks for a body: it has been read already.
      Object.assign(request, { body: nothing });
      // Yoga makes an address of these, and a malformed one would fail. Nothing depends on them.
      request.headers.host = 'localhost';
      request.url = graphqlPath;
      const { caller, device, requestId, address } = origin;
      await yoga(request, response, {
        ...{ caller, device, requestId, address, asked },
        get log() {
          return origin.log;
        },
      });
      const negotiated = mediaTypeOf(response);
      if (isKeepable && known !== null && negotiated !== null && operations.isKnown(params.query)) {
        answered.set(known, negotiated);
      }
    },
  };
}

const notAcceptable =
  'The answer is application/json or application/graphql-response+json; a subscription is sent as text/event-stream, or over WebSocket. Accept one of these.';

/** Of any content: Yoga gets the parameters apart from it. */
const nothing = Buffer.alloc(1);

const mediaTypes: readonly MediaType[] = ['application/json', 'application/graphql-response+json'];

function mediaTypeOf(response: HttpResponse<HttpRequest>): MediaType | null {
  const type = String(response.getHeader('content-type')).split(';', 1)[0];
  return mediaTypes.find(known => known === type) ?? null;
}

const wordsOf = ({ headers }: HttpRequest, text: string) => `${headers.accept ?? ''}\n${text}`;

function isShort({ headers }: HttpRequest): boolean {
  if (headers['content-encoding'] !== undefined) return false;
  const length = Number(headers['content-length'] ?? 0);
  return length > 0 && length <= maxFastBody;
}
