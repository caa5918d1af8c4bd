import type { EvaluationContext } from '../features/service.js';
import type { Answered } from './resolution.js';

/** Where the provider's answers come from. */
export interface AnswerSource {
  /**
   * Begins to follow changes. Resolves once answers can be given.
   * @throws SourceError if none can be given yet. The source goes on trying.
   */
  start(listener: SourceListener): Promise<void>;
  /** @throws SourceError, FeatureError */
  answer(key: string, context: EvaluationContext): Promise<Answered>;
  /** Ends everything that was started. */
  stop(): void;
}

export interface SourceListener {
  /** Answers may have changed. @param keys the flags that changed; undefined: it is not known which. */
  onChange(keys?: readonly string[]): void;
  /** `stale`: answers may be old, or fail. `error`: they will fail until a person does something. */
  onState(state: SourceState, message?: string): void;
}

export type SourceState = 'ready' | 'stale' | 'error';

/** A failure of a source. Its message is for the program, and holds no secret. */
export class SourceError extends Error {
  constructor(
    message: string,
    readonly state: SourceState,
    /** Whether the server refused what it was asked, so that another question may get an answer. */
    readonly isRefused = false,
  ) {
    super(message);
    this.name = 'SourceError';
  }
}
