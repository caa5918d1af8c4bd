import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, getOperationAST } from 'graphql';
import { type GraphQLParams, processRegularResult } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { isPlainObject } from '../core/json.js';
import { type Answer, AnswerMemory, type MediaType } from './answer-memory.js';
import type { Executor } from './executor.js';
import type { OperationOrigin } from './operation-origin.js';

/** Answers a GraphQL request whose path, method, type, size and token have been found right. */
export type Transport = (request: IncomingMessage, response: ServerResponse, origin: OperationOrigin) => Promise<void>;

/** A request that states a longer body, in bytes, is Yoga's: its document would not be kept anyway. */
const longestBody = 16_384;

/** How Yoga answered what was asked in these words, bounded as its own memory of documents is. */
const keptAnswers = { max: 1_000, maxSize: 1_000_000 };

/**
 * Nine tenths of what a small query costs in Yoga are the `Request`, the `Response` and the streams of the fetch API. So
 * what Yoga has answered once is from then on read, executed (by the same executor) and written here, straight on Node's
 * own request and response. Everything else is Yoga's: what is asked for the first time, GET, streams of events, batches,
 * and every request that is malformed. See docs/decisions/0014-a-thin-way-in.md.
 */
export function createThinTransport(executor: Executor): Transport {
  const { yoga, prepare, execute } = executor;
  /** By `Accept` and document, the media type of the answer: what was negotiated once holds for the same words. */
  const answered = new LRUCache<string, MediaType>({ ...keptAnswers, sizeCalculation: (_type, words) => words.length });
  const memory = new AnswerMemory(caller => executor.basisOf(caller));

  /** What is to be executed, or why nothing is. Null: it is not for this way. */
  async function execution(params: GraphQLParams, origin: OperationOrigin): Promise<Prepared | null> {
    const prepared = await prepare(params, origin);
    if (!('document' in prepared)) return prepared;
    const operation = getOperationAST(prepared.document, prepared.operationName)?.operation;
    return operation === 'subscription' ? null : prepared;
  }

  return async (request, response, origin) => {
    const { caller } = origin;
    let params: Params | null = null;
    const accept = request.headers.accept ?? '';
    if (isShortPost(request)) {
      const body = await readBody(request);
      // The client left half-way.
      if (body === null) return;
      const text = body.toString();
      const asked = `${accept}\n${text}`;
      const again = memory.recall(caller, asked);
      if (again !== undefined) {
        const { document, operationName } = again;
        executor.repeated({ document, operationName, contextValue: origin });
        return send(response, again);
      }
      params = readParams(text);
      if (params !== null) {
        const mediaType = answered.get(`${accept}\n${params.query}`);
        const prepared = mediaType === undefined ? null : await execution(params, origin);
        if (mediaType !== undefined && prepared !== null) {
          // Yoga would find the same once more, and log it again.
          if (!('document' in prepared)) return sendErrors(response, { errors: prepared }, mediaType);
          const basis = executor.isSteady(prepared) ? executor.basisOf(caller) : null;
          const result = await execute(prepared);
          if (result.errors !== undefined) return sendErrors(response, result, mediaType);
          const written = JSON.stringify(result);
          const answer = { mediaType, body: written, length: Buffer.byteLength(written) };
          // What has changed since the basis was taken may or may not be in the answer: it is then never given again.
          if (basis !== null) {
            const { document, operationName } = prepared;
            memory.keep(caller, asked, { document, operationName, ...answer, basis });
          }
          return send(response, answer);
        }
      }
      // Where Yoga looks for a body that has been read already.
      Object.assign(request, { body });
    }
    await yoga(request, response, origin);
    const mediaType = mediaTypeOf(response);
    if (params !== null && mediaType !== null && executor.isKnown(params.query)) {
      answered.set(`${accept}\n${params.query}`, mediaType);
    }
  };

  function send(response: ServerResponse, { mediaType, body, length }: Answer): void {
    response.writeHead(200, { 'content-type': `${mediaType}; charset=utf-8`, 'content-length': length });
    // Where each character is a byte, nothing need be encoded.
    response.end(body, length === body.length ? 'latin1' : 'utf8');
  }

  /** What status and headers errors lead to is Yoga's to say. */
  async function sendErrors(response: ServerResponse, result: ExecutionResult, mediaType: MediaType): Promise<void> {
    const answer = processRegularResult(result, yoga.fetchAPI, mediaType);
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  }
}

type Prepared = Awaited<ReturnType<Executor['prepare']>>;

const mediaTypes: readonly MediaType[] = ['application/json', 'application/graphql-response+json'];

function mediaTypeOf(response: ServerResponse): MediaType | null {
  const type = String(response.getHeader('content-type')).split(';', 1)[0];
  return mediaTypes.find(known => known === type) ?? null;
}

function isShortPost({ method, headers }: IncomingMessage): boolean {
  if (method !== 'POST' || headers['content-encoding'] !== undefined) return false;
  const length = Number(headers['content-length'] ?? 0);
  return length > 0 && length <= longestBody;
}

/** Null when the client leaves before its end. */
function readBody(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise(resolve => {
    if (request.destroyed) return resolve(null);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.once('close', () => resolve(null));
  });
}

type Params = GraphQLParams & { readonly query: string };

const knownParams = ['query', 'operationName', 'variables', 'extensions'];

/** Null for whatever is not plainly one well-formed request: Yoga knows what is wrong with it. */
function readParams(body: string): Params | null {
  let params: unknown;
  try {
    params = JSON.parse(body);
  } catch {
    return null;
  }
  if (!isPlainObject(params) || typeof params['query'] !== 'string') return null;
  const { operationName, variables, extensions } = params;
  const isWellFormed =
    Object.keys(params).every(name => knownParams.includes(name)) &&
    (operationName == null || typeof operationName === 'string') &&
    (variables == null || isPlainObject(variables)) &&
    (extensions == null || isPlainObject(extensions));
  return isWellFormed ? (params as unknown as Params) : null;
}
