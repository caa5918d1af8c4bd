import {
  ErrorCode,
  type EvaluationContext,
  type FlagMetadata,
  GeneralError,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  type ProviderEmittableEvents,
  ProviderEvents,
  type ResolutionDetails,
} from '@openfeature/web-sdk';
import type { FeatureKey } from './feature-types.js';
import type { Client, Status } from './types.js';

export interface HalyardWebProviderOptions {
  /** Milliseconds that `initialize` and a change of the context wait for answers. Default: 10,000. */
  readonly timeout?: number | undefined;
}

type JsonType = 'boolean' | 'string' | 'number' | 'object';

/** OpenFeature's word for the step that decided. The reason itself is in the metadata. */
const reasons: Readonly<Record<string, string>> = {
  ENABLED: 'STATIC',
  ROLLOUT: 'SPLIT',
  OUTSIDE_ROLLOUT: 'SPLIT',
  SPLIT: 'SPLIT',
  OVERRIDE: 'TARGETING_MATCH',
  CONDITIONS_MET: 'TARGETING_MATCH',
  RULE: 'TARGETING_MATCH',
  CONDITIONS_NOT_MET: 'DEFAULT',
  USER_REQUIRED: 'DEFAULT',
  DISABLED: 'DISABLED',
};

/** What the SDK is told by the status. While the client connects, answers of an earlier time are stale; those of `bootstrap` are not. */
const events: { readonly [status in Status]: ProviderEmittableEvents } = {
  live: ProviderEvents.Ready,
  connecting: ProviderEvents.Stale,
  stale: ProviderEvents.Stale,
  closed: ProviderEvents.Error,
};

/**
 * A client of Halyard as a provider for `@openfeature/web-sdk`. The targeting key of the context is the subject of the client; the rest of the
 * context goes nowhere, because the attributes of a user come from the token, and never from a page. The client belongs to the
 * program: `onClose` does not close it.
 *
 * @example
 * const client = createClient({ url: 'https://flags.example.com', token: () => session.token });
 * await OpenFeature.setProviderAndWait(new HalyardWebProvider(client));
 */
export class HalyardWebProvider implements Provider {
  readonly metadata = { name: 'halyard-web' } as const;
  readonly runsOn = 'client';
  readonly events = new OpenFeatureEventEmitter();
  readonly #client: Client;
  readonly #timeout: number;
  #stops: (() => void)[] = [];
  /** End the waits that are under way. */
  readonly #waits = new Set<() => void>();
  /** The last event that the SDK knows of. */
  #told: ProviderEmittableEvents = ProviderEvents.Ready;

  constructor(client: Client, { timeout = 10_000 }: HalyardWebProviderOptions = {}) {
    this.#client = client;
    this.#timeout = timeout;
  }

  /**
   * Resolves at the client's first answers, also those from its storage or from `bootstrap`. Identifies first if the context names another
   * subject than the client has.
   * @throws GeneralError if none come in time. They may come later: Ready tells it.
   */
  async initialize(context: EvaluationContext = {}): Promise<void> {
    await this.onClose();
    const client = this.#client;
    const { targetingKey } = context;
    const isOther = targetingKey != null && targetingKey !== client.snapshot().subject;
    this.#stops = [
      client.onChange(keys => this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...keys] })),
      client.onStatus(() => this.#tell()),
    ];
    const identified = isOther && client.identify({ subject: targetingKey });
    await this.#wait((client.source === 'default' && identified) || client.ready());
  }

  /** Asks for the answers of the context's user. Until they come the answers are the caller's defaults, never those of the user before. */
  onContextChange(_before: EvaluationContext, { targetingKey }: EvaluationContext): Promise<void> {
    return this.#wait(this.#client.identify({ subject: targetingKey ?? null }));
  }

  /** Ends what the provider listens to. The client stays open. */
  async onClose(): Promise<void> {
    for (const stop of [...this.#stops.splice(0), ...this.#waits]) stop();
  }

  resolveBooleanEvaluation(key: string, fallback: boolean): ResolutionDetails<boolean> {
    return this.#resolve(key, 'boolean', fallback);
  }

  resolveStringEvaluation(key: string, fallback: string): ResolutionDetails<string> {
    return this.#resolve(key, 'string', fallback);
  }

  resolveNumberEvaluation(key: string, fallback: number): ResolutionDetails<number> {
    return this.#resolve(key, 'number', fallback);
  }

  resolveObjectEvaluation<Value extends JsonValue>(key: string, fallback: Value): ResolutionDetails<Value> {
    return this.#resolve(key, 'object', fallback);
  }

  /** Accepts every event and ignores it: Halyard keeps no events. It is here so that `track` of a client does not complain. */
  track(): void {}

  #resolve<Value extends JsonValue>(key: string, asked: JsonType, fallback: Value): ResolutionDetails<Value> {
    const answer = this.#client.evaluate(key as FeatureKey);
    if (!answer || answer.reason === 'FLAG_NOT_FOUND') {
      return this.#client.source === 'default'
        ? failure(ErrorCode.PROVIDER_NOT_READY, 'No answers have come yet.', fallback)
        : failure(ErrorCode.FLAG_NOT_FOUND, `There is no flag "${key}", or the client does not follow it.`, fallback);
    }
    const { value, variant, reason } = answer;
    const flagMetadata = { halyardReason: reason, revision: this.#client.snapshot().revision };
    if (value === null)
      return failure(ErrorCode.PARSE_ERROR, `The variants of "${key}" are not valid.`, fallback, flagMetadata);
    if (typeof value !== asked) {
      return failure(
        ErrorCode.TYPE_MISMATCH,
        `The value of "${key}" is ${typeof value}, not ${asked}.`,
        fallback,
        flagMetadata,
      );
    }
    return {
      value: value as Value,
      ...(variant && { variant }),
      reason: reasons[reason] ?? 'UNKNOWN',
      flagMetadata,
    };
  }

  async #wait(answers: Promise<void>): Promise<void> {
    await new Promise<void>(resolve => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#waits.delete(stop);
        resolve();
      };
      const timer = setTimeout(stop, this.#timeout);
      this.#waits.add(stop);
      answers.then(stop);
    });
    const { source, status } = this.#client;
    if (source === 'default') {
      this.#told = ProviderEvents.Error;
      throw new GeneralError(`No answers have come yet. The client is ${status}.`);
    }
    // The SDK calls the provider ready once this has resolved.
    this.#told = ProviderEvents.Ready;
    setTimeout(() => this.#tell());
  }

  /** Nothing while somebody waits: the SDK goes by the end of the wait. */
  #tell(): void {
    const { source, status } = this.#client;
    const event = events[status];
    const isSilent = status === 'connecting' && (source === 'default' || source === 'bootstrap');
    if (isSilent || event === this.#told || this.#waits.size) return;
    this.#told = event;
    this.events.emit(event, { message: `The client is ${status}.` });
  }
}

function failure<Value>(
  errorCode: ErrorCode,
  errorMessage: string,
  value: Value,
  flagMetadata: FlagMetadata = {},
): ResolutionDetails<Value> {
  return { value, reason: 'ERROR', errorCode, errorMessage, flagMetadata };
}
