import { type ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import { endable } from '../../streams/endable.js';
import { readAccepted } from '../http/media-types.js';
import type { Exchange } from '../http/route.js';
import { sendError } from '../http/send.js';
import { formatErrors, type maskError } from '../operations/mask-error.js';
import type { OpenStreams } from '../operations/open-streams.js';
import type { Operations } from '../operations/operations.js';
import type { OperationOrigin } from '../operations/origin.js';
import { resultText } from '../operations/result-text.js';
import type { PreparedOperation } from '../operations/runner.js';
import type { EventForm, EventStreams } from './event-stream.js';
import type { Params } from './graphql-params.js';
import type { TokenEnds } from './token-ends.js';

export interface HttpSubscriptionsOptions {
  readonly operations: Operations;
  readonly streams: OpenStreams;
  readonly eventStreams: EventStreams;
  readonly whenTokenEnds: TokenEnds;
}

/** Answers subscriptions with server-sent events. */
export type HttpSubscriptions = (exchange: Exchange, params: Params, origin: OperationOrigin) => Promise<void>;

/**
 * A stream ends when its reader leaves, its token ends, its source does, or the server stops. Only the end of its source is
 * told as `complete`: clients come back from an end without that, and take `complete` for the end of the subscription.
 */
export function createHttpSubscriptions(options: HttpSubscriptionsOptions): HttpSubscriptions {
  const { operations, streams, eventStreams, whenTokenEnds } = options;

  /** Answers with the errors of a subscription: as JSON if the client takes it, else as the only event of a stream. */
  async function refuse({ request, response }: Exchange, errors: readonly GraphQLError[]): Promise<void> {
    const { status, headers } = httpOf(errors);
    const { json } = readAccepted(request.headers.accept);
    if (json === null)
      return eventStreams.send(response, endable(onlyResult({ errors })), formOf(), { status, headers });
    response.writeHead(status, { ...headers, 'content-type': `${json}; charset=utf-8` });
    response.end(JSON.stringify({ errors: formatErrors(errors) }));
  }

  async function stream(exchange: Exchange, prepared: PreparedOperation): Promise<void> {
    const { response } = exchange;
    if (!exchange.stayOpen()) return refuse(exchange, [tooManyConnections()]);
    const connection = streams.connection();
    response.whenClosed(() => connection.end());
    const result = await operations.subscribe(prepared);
    if (!isAsyncIterable(result)) return refuse(exchange, result.errors ?? []);
    const open = connection.open(result, prepared);
    if (!isAsyncIterable(open)) return refuse(exchange, open.errors ?? []);
    response.whenClosed(whenTokenEnds(prepared.contextValue.caller, () => connection.end()));
    // Not awaited: this function, and all that it knows, would stay for as long as the stream.
    return eventStreams.send(
      response,
      open,
      formOf(() => connection.isEnded),
    );
  }

  return async (exchange, params, origin) => {
    const { request, response } = exchange;
    const prepared = await operations.prepare(params, origin);
    if (!('document' in prepared)) return refuse(exchange, prepared);
    if (readAccepted(request.headers.accept).events) return stream(exchange, prepared);
    response.setHeader('accept', 'text/event-stream');
    sendError(response, 406, 'NOT_ACCEPTABLE', notAcceptable);
  };
}

const notAcceptable =
  'A subscription is sent as text/event-stream (Server-Sent Events), or over WebSocket (graphql-transport-ws). Accept text/event-stream, or use a WebSocket client such as graphql-ws.';

/**
 * The form of GraphQL over SSE ("distinct connections mode").
 * @param isCut asked at the end: whether the client is to ask again, so that nothing is said to be complete.
 */
function formOf(isCut = () => false): EventForm<ExecutionResult> {
  return {
    event: eventOf,
    // What a stream throws is masked already.
    failure: error => eventOf({ errors: [error as ReturnType<typeof maskError>] }),
    end: () => (isCut() ? undefined : 'event: complete\ndata:\n\n'),
  };
}

const eventOf = (result: ExecutionResult): string => `event: next\ndata: ${resultText(result)}\n\n`;

async function* onlyResult(result: ExecutionResult): AsyncGenerator<ExecutionResult> {
  yield result;
}

/** The status and headers that errors ask for, as Yoga reads them for `application/json`. */
function httpOf(errors: readonly GraphQLError[]) {
  const asked = errors.flatMap(({ extensions: { http } }) => (http === undefined ? [] : [http as HttpExtensions]));
  const statuses = asked.flatMap(({ spec, status }) => (spec === true || status === undefined ? [] : [status]));
  const headers: Record<string, string> = Object.assign({}, ...asked.map(({ headers }) => headers));
  return { status: Math.max(200, ...statuses), headers };
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
