import { type Features, serviceOf } from '../features/features.js';
import type { EvaluationContext, FeatureService } from '../features/service.js';
import type { Answered } from './resolution.js';
import type { AnswerSource, SourceListener, SourceState } from './source.js';

/** Milliseconds between looks at how current the features are: they tell it, and send no events of it. */
const lookInterval = 500;

/** Answers of the features inside this program. */
export class LibrarySource implements AnswerSource {
  readonly #service: FeatureService;
  #stop: (() => void) | null = null;

  constructor(features: Features<never>) {
    this.#service = features[serviceOf]();
  }

  async start({ onChange, onState }: SourceListener): Promise<void> {
    this.stop();
    let state: SourceState = 'ready';
    const look = () => {
      const now: SourceState = this.#service.status.problem === null ? 'ready' : 'stale';
      if (now === state) return;
      state = now;
      // The problem itself may name hosts of the database: it is in the log of the features.
      onState(state, state === 'stale' ? 'The change log cannot be read, so answers may be old.' : undefined);
    };
    const stopListening = this.#service.onFlagsChanged(onChange);
    const timer = setInterval(look, lookInterval);
    timer.unref();
    this.#stop = () => {
      clearInterval(timer);
      stopListening();
    };
  }

  async answer(key: string, context: EvaluationContext): Promise<Answered> {
    const evaluator = await this.#service.evaluator(context);
    return { ...evaluator.evaluate(key), revision: evaluator.revision };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }
}
