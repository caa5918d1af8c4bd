import DataLoader from 'dataloader';
import { z } from 'zod';
import { evaluationReasons } from '../core/evaluate.js';
import { valueTypes } from '../core/flag.js';
import type { EvaluationContext } from '../features/service.js';
import { HttpApi, type ServerOptions } from './http-api.js';
import type { Answered } from './resolution.js';
import { type AnswerSource, SourceError, type SourceListener, type SourceState } from './source.js';

/** Most questions in one request. The server's limit on the cost of an operation is far above what they cost. */
const maxBatch = 100;

const evaluationsAnswer = z.record(
  z.string(),
  z.array(
    z.object({
      features: z.array(
        z.object({
          key: z.string(),
          type: z.enum(valueTypes).nullable(),
          variant: z.string().nullable(),
          value: z.json(),
          reason: z.enum(evaluationReasons),
          rule: z.string().nullable(),
        }),
      ),
    }),
  ),
);
const revisionAnswer = z.object({ viewer: z.object({ revision: z.number() }) });

interface Question {
  readonly key: string;
  readonly context: EvaluationContext;
}

/** Contexts that ask for the same keys: one field of the request. */
interface Group {
  readonly keys: readonly string[];
  readonly contexts: EvaluationContext[];
}

/** Answers of a server. Questions of one turn of the event loop share a request. */
export class HttpSource implements AnswerSource {
  readonly #api: HttpApi;
  readonly #pollInterval: number;
  readonly #loader = new DataLoader<Question, Answered>(questions => this.#answerAll(questions), {
    cache: false,
    maxBatchSize: maxBatch,
  });
  #listener: SourceListener | null = null;
  #timer: NodeJS.Timeout | null = null;
  #revision: number | null = null;
  #state: SourceState = 'ready';

  constructor({ url, token, timeout = 5_000, pollInterval = 5_000 }: ServerOptions) {
    if (!(pollInterval >= 0 && pollInterval <= 2 ** 31 - 1)) {
      throw new TypeError(`pollInterval is ${pollInterval}, expected milliseconds, or 0 for never.`);
    }
    this.#api = new HttpApi(url, token, timeout);
    this.#pollInterval = pollInterval;
  }

  async start(listener: SourceListener): Promise<void> {
    this.stop();
    this.#api.open();
    this.#listener = listener;
    try {
      await this.#look();
    } catch (error) {
      // The provider tells this failure itself. The next answer makes the source ready.
      if (this.#state === 'ready') this.#state = 'error';
      throw error;
    } finally {
      this.#poll(listener);
    }
  }

  answer(key: string, context: EvaluationContext): Promise<Answered> {
    return this.#loader.load({ key, context });
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#listener = null;
    this.#timer = null;
    this.#revision = null;
    this.#state = 'ready';
    this.#api.close();
  }

  #poll(listener: SourceListener): void {
    if (this.#pollInterval === 0 || this.#listener !== listener) return;
    this.#timer = setTimeout(async () => {
      await this.#look().catch(() => {});
      this.#poll(listener);
    }, this.#pollInterval);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { viewer } = await this.#ask('query HalyardRevision { viewer { revision } }', {}, revisionAnswer);
    const before = this.#revision;
    this.#revision = viewer.revision;
    if (before !== null && before !== viewer.revision) this.#listener?.onChange();
  }

  /** One request for all; each alone if the server refuses them together, so that one bad question spoils no other. */
  async #answerAll(questions: readonly Question[]): Promise<(Answered | Error)[]> {
    try {
      return await this.#request(questions);
    } catch (error) {
      if (questions.length > 1 && error instanceof SourceError && error.isRefused) {
        return (await Promise.all(questions.map(question => this.#answerAll([question])))).flat();
      }
      return questions.map(() => (error instanceof Error ? error : new Error(String(error))));
    }
  }

  async #request(questions: readonly Question[]): Promise<Answered[]> {
    const groups = groupsOf(questions);
    const variables = Object.fromEntries(
      groups.flatMap(({ keys, contexts }, index) => [
        [`k${index}`, keys],
        [`c${index}`, contexts],
      ]),
    );
    const data = await this.#ask(documentOf(groups.length), variables, evaluationsAnswer);
    const answers = new Map<string, Answered>();
    groups.forEach(({ contexts }, index) => {
      data[`g${index}`]?.forEach(({ features }, position) => {
        for (const feature of features) {
          answers.set(identityOf({ key: feature.key, context: contexts[position] ?? {} }), {
            ...feature,
            revision: null,
          });
        }
      });
    });
    return questions.map(question => {
      const answer = answers.get(identityOf(question));
      if (answer === undefined) throw new SourceError('The server left out an answer.', 'stale');
      return answer;
    });
  }

  async #ask<Data>(query: string, variables: object, shape: z.ZodType<Data>): Promise<Data> {
    try {
      const data = await this.#api.ask(query, variables, shape);
      this.#become('ready');
      return data;
    } catch (error) {
      if (error instanceof SourceError && !error.isRefused) this.#become(error.state, error.message);
      throw error;
    }
  }

  #become(state: SourceState, message?: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listener?.onState(state, message);
  }
}

/** Usually many flags for one context, or one flag for many: either is one group. */
function groupsOf(questions: readonly Question[]): Group[] {
  const byContext = new Map<string, { context: EvaluationContext; keys: Set<string> }>();
  for (const { key, context } of questions) {
    const id = JSON.stringify(context);
    const entry = byContext.get(id);
    if (entry === undefined) byContext.set(id, { context, keys: new Set([key]) });
    else entry.keys.add(key);
  }
  const groups = new Map<string, Group>();
  for (const { context, keys } of byContext.values()) {
    const sorted = [...keys].sort();
    const id = JSON.stringify(sorted);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { keys: sorted, contexts: [context] });
    else group.contexts.push(context);
  }
  return [...groups.values()];
}

const identityOf = ({ key, context }: Question) => JSON.stringify([key, context]);

/** The same text for the same number of groups, so that the server knows it again. */
function documentOf(groups: number): string {
  const indexes = Array.from({ length: groups }, (_, index) => index);
  const variables = indexes.map(index => `$c${index}: [EvaluationContextInput!]!, $k${index}: [String!]`).join(', ');
  const fields = indexes.map(
    index => `g${index}: evaluateMany(contexts: $c${index}, keys: $k${index}) { features { ...Answer } }`,
  );
  return `query HalyardEvaluations(${variables}) { ${fields.join(' ')} }
fragment Answer on Evaluation { key type variant value reason rule }`;
}
