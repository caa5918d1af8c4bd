import {
  ErrorCode,
  type EvaluationContext,
  GeneralError,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import { FeatureError, ValidationError } from '../core/errors.js';
import type { ValueType } from '../core/flag.js';
import type { Features } from '../features/features.js';
import { contextOf } from './context.js';
import type { ServerOptions } from './http-api.js';
import { HttpSource } from './http-source.js';
import { LibrarySource } from './library-source.js';
import { failure, resolutionOf } from './resolution.js';
import { type AnswerSource, SourceError, type SourceState } from './source.js';

const events = {
  ready: ProviderEvents.Ready,
  stale: ProviderEvents.Stale,
  error: ProviderEvents.Error,
} as const;

/**
 * Halyard as a provider for `@openfeature/server-sdk`: over the features of this program, or over a server. The targeting key of a context is
 * the user id, everything else in it is an attribute. No evaluation rejects: what fails gives the caller's default and an error code.
 *
 * @example
 * await OpenFeature.setProviderAndWait(new HalyardProvider(features));
 * @example
 * await OpenFeature.setProviderAndWait(new HalyardProvider({ url: 'https://flags.example.com', token: serviceToken }));
 */
export class HalyardProvider implements Provider {
  readonly metadata = { name: 'halyard' } as const;
  readonly runsOn = 'server';
  readonly events = new OpenFeatureEventEmitter();
  readonly #source: AnswerSource;
  #state: SourceState | 'closed' = 'closed';

  /**
   * @param source the features of `createFeatures`, which the provider does not close; or a server and a credential with the role `service`.
   * @throws TypeError for an address that is not one of HTTP, and for options out of their range.
   */
  constructor(source: Features<never> | ServerOptions) {
    this.#source = 'url' in source ? new HttpSource(source) : new LibrarySource(source);
  }

  /** Resolves once flags can be evaluated. @throws GeneralError if they cannot yet; the provider goes on trying, and tells by Ready. */
  async initialize(): Promise<void> {
    this.#state = 'ready';
    try {
      await this.#source.start({
        onChange: keys =>
          this.events.emit(ProviderEvents.ConfigurationChanged, keys === undefined ? {} : { flagsChanged: [...keys] }),
        onState: (state, message) => this.#become(state, message),
      });
    } catch (error) {
      this.#state = 'error';
      throw new GeneralError(messageOf(error));
    }
  }

  /** Ends the connection and all timers. The features of the program stay open: they belong to the program. */
  async onClose(): Promise<void> {
    this.#state = 'closed';
    this.#source.stop();
  }

  resolveBooleanEvaluation(
    key: string,
    fallback: boolean,
    context: EvaluationContext = {},
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(key, 'BOOLEAN', fallback, context);
  }

  resolveStringEvaluation(
    key: string,
    fallback: string,
    context: EvaluationContext = {},
  ): Promise<ResolutionDetails<string>> {
    return this.#resolve(key, 'STRING', fallback, context);
  }

  resolveNumberEvaluation(
    key: string,
    fallback: number,
    context: EvaluationContext = {},
  ): Promise<ResolutionDetails<number>> {
    return this.#resolve(key, 'NUMBER', fallback, context);
  }

  /** Objects and lists from the features of this program are frozen. */
  resolveObjectEvaluation<Value extends JsonValue>(
    key: string,
    fallback: Value,
    context: EvaluationContext = {},
  ): Promise<ResolutionDetails<Value>> {
    return this.#resolve(key, 'OBJECT', fallback, context);
  }

  /** Accepts every event and ignores it: Halyard keeps no events. It is here so that `track` of a client does not complain. */
  track(): void {}

  async #resolve<Value extends JsonValue>(
    key: string,
    asked: ValueType,
    fallback: Value,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<Value>> {
    if (this.#state === 'closed') {
      const message = 'The provider is not in use: it was not initialized, or it was closed.';
      return failure(ErrorCode.PROVIDER_NOT_READY, message, fallback);
    }
    try {
      return resolutionOf(key, await this.#source.answer(key, contextOf(context)), asked, fallback);
    } catch (error) {
      const code = error instanceof ValidationError ? ErrorCode.INVALID_CONTEXT : ErrorCode.GENERAL;
      return failure(code, messageOf(error), fallback);
    }
  }

  #become(state: SourceState, message?: string): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.events.emit(events[state], message === undefined ? {} : { message });
  }
}

/** What the program may know of a failure. An unexpected error may hold a secret. */
function messageOf(error: unknown): string {
  if (error instanceof SourceError || error instanceof FeatureError) return error.message;
  return 'The flag could not be evaluated.';
}
