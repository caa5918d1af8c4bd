import { defaultFieldResolver, type GraphQLResolveInfo } from 'graphql';
import { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Features, FeatureUser } from '../features/features.js';
import { endable } from '../streams/endable.js';
import {
  answerClosed,
  type ClosedField,
  type FieldFunction,
  fieldClosedFor,
  type GatedFieldOptions,
  isNullable,
  toGraphQLError,
} from './field.js';
import { subjectOf } from './gate.js';

/** Like {@link GatedFieldOptions}, with features that can also be watched. */
export interface GatedSubscriptionOptions<Context, User = FeatureUser> extends GatedFieldOptions<Context, User> {
  readonly features: Pick<Features<User>, 'for' | 'watch'>;
}

/** The two functions of a subscription field. The gate needs both: the second one gives the reason when the stream ends. */
export interface SubscriptionField<Source, Args, Context, Event, Result> {
  readonly subscribe: FieldFunction<Source, Args, Context, AsyncIterable<Event> | Promise<AsyncIterable<Event>>>;
  /** Default: returns the property of the event that has the name of the field. */
  readonly resolve?: FieldFunction<Event, Args, Context, Result>;
}

/** The last event of a stream whose feature went off. */
class Closing {
  constructor(readonly error: FeatureDisabledError) {}
}

/**
 * Lets users subscribe only while the feature is on for them. Other users get the same answer as from {@link gatedField}.
 * When the feature goes off for a subscriber, the stream gets that error (or null) as its last event, completes at once, and
 * closes its source. During an outage the present subscribers stay subscribed.
 *
 * @example
 * const resolvers = { Subscription: { prices: gatedSubscription('live_prices', { features, user })({ subscribe }) } };
 */
export function gatedSubscription<Context = unknown, User = FeatureUser>(
  key: FeatureKey,
  options: GatedSubscriptionOptions<Context, User>,
) {
  return <Source, Args, Given extends Context, Event, Result = unknown>({
    subscribe,
    resolve,
  }: SubscriptionField<Source, Args, Given, Event, Result>) => ({
    subscribe: gatedSubscribe(key, options, subscribe),
    resolve: gatedEvents(options, resolve),
  });
}

/** The half of {@link gatedSubscription} that subscribes. Only {@link gatedEvents} understands its last event. */
export function gatedSubscribe<Context, User, Source, Args, Given extends Context, Event>(
  key: FeatureKey,
  options: GatedSubscriptionOptions<Context, User>,
  subscribe: SubscriptionField<Source, Args, Given, Event, unknown>['subscribe'],
) {
  return async (
    source: Source,
    args: Args,
    context: Given,
    info: GraphQLResolveInfo,
  ): Promise<AsyncIterable<Event>> => {
    // Read once, so that the gate checks and watches the same subject.
    const subject = await subjectOf(context, options);
    const closed = await fieldClosedFor(key, subject, options);
    if (closed !== null) {
      if (options.soft && isNullable(info)) return only(new Closing(closed) as Event);
      throw toGraphQLError(closed);
    }

    const events = await subscribe(source, args, context, info);
    // Graphql has the better error message for other values.
    if (!isAsyncIterable(events)) return events;
    const stream = endable(events);
    // The first update includes changes since the check above.
    const stop = options.features.watch(
      subject.user,
      ({ features: [answer] }) => {
        if (answer?.enabled === false) stream.end(new Closing(new FeatureDisabledError(key, options)) as Event);
      },
      // The features report an outage themselves. Each subscriber need not report it again.
      { keys: [key], device: subject.device, onError: () => {} },
    );
    stream.whenEnded(stop);
    return stream;
  };
}

/** The half of {@link gatedSubscription} that resolves. */
export function gatedEvents<Args, Context, Event, Result>(
  options: ClosedField,
  resolve: FieldFunction<Event, Args, Context, Result> = defaultFieldResolver as typeof resolve,
) {
  return (event: Event, args: Args, context: Context, info: GraphQLResolveInfo): Result | null =>
    event instanceof Closing ? answerClosed(event.error, options, info) : resolve(event, args, context, info);
}

async function* only<Event>(event: Event): AsyncGenerator<Event, void, undefined> {
  yield event;
}

function isAsyncIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
