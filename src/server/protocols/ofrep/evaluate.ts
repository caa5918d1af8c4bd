import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, isCounted } from '../../../auth/caller.js';
import { maxFlagKeyLength } from '../../../core/flag.js';
import { shortened } from '../../../core/text.js';
import type { HttpResponse } from '../../http/http-response.js';
import type { HttpRequest } from '../../http/request.js';
import type { Exchange, Route } from '../../http/route.js';
import { isKnown } from '../../http/static-file.js';
import type { ServerMetrics } from '../../metrics/server-metrics.js';
import { AnswerMemory, type AnswerStore, type KeptAnswer } from '../../operations/kept-answers.js';
import { maskError, reportTo } from '../../operations/mask-error.js';
import type { JsonBodies } from '../json-bodies.js';
import { isFailure, withIgnoredContext, writeAnswer } from './answers.js';
import { type Asked, isFault, readAsked } from './asked.js';
import { eventsPath } from './events.js';
import type { OfrepFlags } from './flags.js';
import { keyOf, refuse, refuseMethod } from './refuse.js';
import type { Ticket, Tickets } from './tickets.js';
import { contextBytes, type Watched, type WatchedContexts } from './watched-contexts.js';

const flagsPath = '/ofrep/v1/evaluate/flags';

export interface EvaluateOptions {
  readonly flags: OfrepFlags;
  /** Whether callers without a token may evaluate flags. */
  readonly allowAnonymous: boolean;
  readonly tickets: Tickets;
  readonly contexts: WatchedContexts;
  readonly bodies: JsonBodies;
  readonly kept: AnswerStore;
  /** The address under which the client of a request reaches this server. */
  readonly publicUrlOf: (request: HttpRequest) => string;
  readonly metrics: ServerMetrics | null;
}

/** The answer with all flags. */
interface BulkAnswer extends KeptAnswer {
  /** As bytes: it is long, and text would be copied twice each time that it is given. */
  readonly body: Buffer;
  readonly etag: string;
  readonly ticket: Ticket;
  readonly watched: Watched;
}

/** Milliseconds that an answer waits for the revision of an event. Past it the last known state answers. */
const patience = 500;
/** A longer request, in characters, is not kept. */
const maxKeptWords = 16_384;
/** Seconds after which a provider in a hidden tab closes its stream. */
const inactivityDelaySec = 120;

/** Evaluates one flag, or all flags of a context. */
export function createEvaluateRoutes(options: EvaluateOptions): readonly Route[] {
  const { flags, tickets, contexts, bodies, publicUrlOf, metrics } = options;
  const memory = new AnswerMemory<BulkAnswer>(
    {
      stampOf: (_caller, { watched }) => flags.stamp(watched.context.userId ?? null),
      // The words name the device, as the ticket does.
      dependsOnDevice: () => false,
    },
    options.kept,
    'ofrep',
  );

  const questionsOf = (caller: Caller) => flags.usage.questionsOf(isCounted(caller));

  /** Reads the body, and has it answered. Everything that fails is answered in the form of the protocol. */
  function handled(answer: (exchange: Exchange, text: string, caller: Caller, device: string | null) => Promise<void>) {
    return async (exchange: Exchange, caller: Caller, device: string | null): Promise<void> => {
      const { request, response, rest } = exchange;
      if (request.method !== 'POST') return refuseMethod(response, 'POST', rest);
      if (caller.role === 'ANONYMOUS' && !options.allowAnonymous) {
        response.setHeader('www-authenticate', 'Bearer');
        return refuse(response, 401, 'UNAUTHENTICATED', 'Send a token: "Authorization: Bearer <token>".', rest);
      }
      try {
        const text = await bodies.read(exchange, refuse);
        const release = text === null ? null : bodies.hold(exchange, text, refuse);
        if (text === null || release === null) return;
        const answered = answer(exchange, text, caller, device);
        await (release === undefined ? answered : answered.finally(release));
      } catch (error) {
        if (response.headersSent) throw error;
        const { message, extensions } = maskError(error, reportTo(exchange.log));
        const isUnavailable = extensions['code'] === 'UNAVAILABLE';
        if (isUnavailable) response.setHeader('retry-after', '5');
        refuse(response, isUnavailable ? 503 : 500, String(extensions['code']), message, rest);
      }
    };
  }

  async function evaluateOne(
    { response, rest }: Exchange,
    text: string,
    caller: Caller,
    device: string | null,
  ): Promise<void> {
    const asked = readAsked(text, caller, device);
    if (isFault(asked)) return refuse(response, asked.status, asked.code, asked.message, rest);
    const key = keyOf(rest);
    const evaluator = await flags.evaluator(asked.context, questionsOf(caller));
    const evaluation = key.length > maxFlagKeyLength ? null : evaluator.evaluate(key);
    const written = evaluation && writeAnswer(evaluation, evaluator);
    if (evaluation === null || written === null) {
      return refuse(response, 404, 'FLAG_NOT_FOUND', `There is no flag with the key "${shortened(key)}".`, rest);
    }
    const body = asked.isContextIgnored ? withIgnoredContext(written) : written;
    send(response, isFailure(evaluation) ? 400 : 200, Buffer.from(body), { vary: varyOf(response) });
  }

  async function evaluateAll(exchange: Exchange, text: string, caller: Caller, device: string | null): Promise<void> {
    const { request, response } = exchange;
    const mark = markIn(request.url);
    if (mark !== '') await standAt(mark);
    const publicUrl = publicUrlOf(request);
    const words = `${publicUrl} ${device ?? ''}\n${text}`;
    const asker = { caller, device: null };
    const known = memory.recall(asker, words);
    let answer = known !== undefined && known.ticket.currentUntil > Date.now() ? known : null;
    if (answer === null) {
      const asked = readAsked(text, caller, device);
      if (isFault(asked)) return refuse(response, asked.status, asked.code, asked.message);
      // A change since the stamp was taken may or may not be in the answer: that answer is never given again.
      const stamp = flags.stamp(asked.context.userId ?? null);
      answer = { ...(await bulkAnswer(asked, caller, publicUrl)), stamp: stamp ?? {} };
      if (stamp !== null && words.length <= maxKeptWords) memory.keep(asker, words, answer);
    } else {
      metrics?.countRepeatedAnswer();
      answer.questions?.repeat();
    }
    const { ticket, watched, etag, body } = answer;
    contexts.remember(ticket.id, watched);
    const headers = { etag, vary: varyOf(response) };
    if (isKnown(request.headers['if-none-match'], etag)) response.writeHead(304, headers).end();
    else send(response, 200, body, headers);
  }

  async function bulkAnswer(asked: Asked, caller: Caller, publicUrl: string): Promise<Omit<BulkAnswer, 'stamp'>> {
    const { context, keys, isContextIgnored } = asked;
    const questions = questionsOf(caller);
    const evaluator = await flags.evaluator(context, questions);
    const answers = evaluator
      .evaluateAll(keys)
      .map(evaluation => writeAnswer(evaluation, evaluator))
      .filter(answer => answer !== null);
    const ticket = tickets.issue({ context, keys, caller });
    const watched = { context, keys, caller, bytes: contextBytes(asked), endsAt: ticket.endsAt };
    const url = `${publicUrl}${eventsPath}?ticket=${ticket.text}`;
    const rest = JSON.stringify({
      eventStreams: [{ type: 'sse', url, inactivityDelaySec }],
      metadata: isContextIgnored ? { contextIgnored: true } : {},
    });
    const body = Buffer.from(`{"flags":[${answers.join(',')}],${rest.slice(1)}`);
    const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`;
    return { body, extra: watched.bytes, etag, ticket, watched, questions };
  }

  /**
   * Waits until answers are no older than the event that the request follows. Anybody can write any revision, so only marks of
   * a node on this database count. If the log cannot be read, the last known state answers.
   */
  async function standAt(mark: string): Promise<void> {
    const revision = tickets.readMark(mark);
    if (revision === null || revision <= flags.revision) return;
    const late = new AbortController();
    const read = flags.reach(revision).catch(() => {});
    await Promise.race([read, sleep(patience, null, { signal: late.signal }).catch(() => {})]);
    late.abort();
  }

  return [
    { path: `${flagsPath}/{key}`, method: 'any', caller: 'verified', refuse, handle: handled(evaluateOne) },
    { path: flagsPath, method: 'any', caller: 'verified', refuse, handle: handled(evaluateAll) },
  ];
}

/** All headers at once: Node writes those that were set before one by one. */
function send(
  response: HttpResponse<HttpRequest>,
  status: number,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    ...headers,
  });
  response.end(body);
}

function varyOf(response: HttpResponse<HttpRequest>): string {
  const known = response.getHeader('vary');
  return known === undefined ? 'Authorization' : `${known}, Authorization`;
}

/** The mark in the event that the request follows; empty where it follows none. */
function markIn(url = ''): string {
  const query = url.indexOf('?');
  return query === -1 ? '' : (new URLSearchParams(url.slice(query)).get('flagConfigEtag') ?? '');
}
