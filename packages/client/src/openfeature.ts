import {
  ErrorCode,
  type EvaluationContext,
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

const events: { readonly [status in Status]?: ProviderEmittableEvents } = {
  live: ProviderEvents.Ready,
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
  /** What the SDK was told last. */
  #told: Status = 'live';

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
    await this.#wait(isOther ? client.identify({ subject: targetingKey }) : client.ready());
  }

  /** Asks for the answers of the context's user. Until they come the answers are the caller's defaults, never those of the user before. */
  onContextChange(_before: EvaluationContext, { targetingKey }: EvaluationContext): Promise<void> {
    return this.#wait(this.#client.identify({ subject: targetingKey ?? null }));
  }

  /** Ends what the provider listens to. The client stays open. */
  async onClose(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
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
    if (answer === undefined) {
      return this.#client.source === 'default'
        ? failure(ErrorCode.PROVIDER_NOT_READY, 'No answers have come yet.', fallback)
        : failure(ErrorCode.FLAG_NOT_FOUND, `There is no flag "${key}", or the client does not follow it.`, fallback);
    }
    const { value, variant, reason } = answer;
    const flagMetadata = { halyardReason: reason, revision: this.#client.snapshot().revision };
    const failed = (code: ErrorCode, message: string) => ({ ...failure(code, message, fallback), flagMetadata });
    if (reason === 'FLAG_NOT_FOUND') return failed(ErrorCode.FLAG_NOT_FOUND, `There is no flag "${key}".`);
    if (value === null) return failed(ErrorCode.PARSE_ERROR, `The stored variants of "${key}" are not valid.`);
    if (typeof value !== asked) {
      return failed(ErrorCode.TYPE_MISMATCH, `The value of "${key}" is of the type ${typeof value}, not ${asked}.`);
    }
    return {
      value: value as Value,
      ...(variant === null ? {} : { variant }),
      reason: reasons[reason] ?? 'UNKNOWN',
      flagMetadata,
    };
  }

  async #wait(answers: Promise<void>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, this.#timeout);
    });
    await Promise.race([answers, late]);
    clearTimeout(timer);
    if (this.#client.source === 'default') {
      this.#told = 'closed';
      throw new GeneralError(this.#client.status === 'closed' ? 'The client is closed.' : 'No answers came in time.');
    }
    // The SDK calls the provider ready once this has resolved.
    this.#told = 'live';
    setTimeout(() => this.#tell());
  }

  #tell(): void {
    const { status } = this.#client;
    const event = events[status];
    if (event === undefined || status === this.#told || this.#stops.length === 0) return;
    this.#told = status;
    this.events.emit(event, status === 'closed' ? { message: 'The client is closed.' } : {});
  }
}

function failure<Value>(errorCode: ErrorCode, errorMessage: string, value: Value): ResolutionDetails<Value> {
  return { value, reason: 'ERROR', errorCode, errorMessage };
}
