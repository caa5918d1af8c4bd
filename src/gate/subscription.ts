import { defaultFieldResolver, type GraphQLResolveInfo } from 'graphql';
import { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { Features, FeatureUser } from '../features/features.js';
import { endable } from '../streams/endable.js';
import {
  answerClosed,
  type ClosedField,
  type FieldFunction,
  type GatedFieldOptions,
  isNullable,
  toGraphQLError,
} from './field.js';
import { closedBy } from './gate.js';

/** Like {@link GatedFieldOptions}; the features are watched too. */
export interface GatedSubscriptionOptions<Context, User = FeatureUser> extends GatedFieldOptions<Context, User> {
  readonly features: Pick<Features<User>, 'for' | 'watch'>;
}

/** The two functions of a subscription field. Both are needed: the second says why the stream ends. */
export interface SubscriptionField<Source, Args, Context, Event, Result> {
  readonly subscribe: FieldFunction<Source, Args, Context, AsyncIterable<Event> | Promise<AsyncIterable<Event>>>;
  /** Default: the property of the event that is named like the field. */
  readonly resolve?: FieldFunction<Event, Args, Context, Result>;
}

/** In place of an event: the feature has gone off. */
class Closing {
  constructor(readonly error: FeatureDisabledError) {}
}

/**
 * Lets only those subscribe for whom the feature is on, and only as long as it is on for them. Who may not is answered as
 * by {@link gatedField}. When the feature goes off for a subscriber, the stream gets that same error (or null) as its last
 * event and completes, at once; the source is let go. While an outage lasts, who has subscribed stays subscribed.
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

/** The half of {@link gatedSubscription} that subscribes. Its last event is for {@link gatedEvents} alone. */
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
    // Asked once: the user who is let in is the one who is watched.
    const user = (await options.user?.(context)) ?? null;
    const closed = await closedBy(key, context, { ...options, user: () => user });
    if (closed !== null) {
      if (options.soft && isNullable(info)) return only(new Closing(closed) as Event);
      throw toGraphQLError(closed);
    }

    const events = await subscribe(source, args, context, info);
    // Graphql says best what is wrong with it.
    if (!isAsyncIterable(events)) return events;
    const stream = endable(events);
    // The first answer covers what has happened since it was asked above.
    const stop = options.features.watch(
      user,
      ({ features: [answer] }) => {
        if (answer?.enabled === false) stream.end(new Closing(new FeatureDisabledError(key, options)) as Event);
      },
      // Outages are the features' own to report, not once for each subscriber.
      { keys: [key], onError: () => {} },
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
