import type { Route } from '../../http/route.js';
import { createEvaluateRoutes, type EvaluateOptions } from './evaluate.js';
import { createEventsRoute, type EventsOptions } from './events.js';
import type { OfrepFlags } from './flags.js';
import { createPublicUrl, type PublicUrlOptions } from './public-url.js';
import { refuse } from './refuse.js';
import { Tickets } from './tickets.js';
import { WatchedContexts } from './watched-contexts.js';

/** What the composition root gives to OFREP. */
export interface OfrepOptions {
  readonly flags: OfrepFlags;
  /** Whether callers without a token may evaluate flags. */
  readonly allowAnonymous: boolean;
  /** Signs the tickets of event streams; the same on all nodes. */
  readonly ticketSecret: Uint8Array;
  /** The address under which clients reach the server. Null: it is read from each request. */
  readonly publicUrl: string | null;
}

type Shared = 'tickets' | 'contexts' | 'publicUrlOf';

export type OfrepRoutesOptions = OfrepOptions &
  Omit<EvaluateOptions, Shared> &
  Omit<EventsOptions, Shared> &
  Omit<PublicUrlOptions, 'publicUrl'>;

/** The OpenFeature Remote Evaluation Protocol, version 0.3: docs/ofrep.md. */
export function createOfrepRoutes(options: OfrepRoutesOptions): readonly Route[] {
  const shared = {
    tickets: new Tickets(options.ticketSecret),
    contexts: new WatchedContexts(),
    publicUrlOf: createPublicUrl(options),
  };
  return [
    ...createEvaluateRoutes({ ...options, ...shared }),
    createEventsRoute({ ...options, ...shared }),
    ...['/ofrep', '/ofrep/{path}'].map(nothingAt),
  ];
}

const nothingAt = (path: string): Route => ({
  path,
  method: 'any',
  caller: 'anybody',
  refuse,
  handle: ({ response }) =>
    refuse(response, 404, 'NOT_FOUND', 'There is nothing here: flags are evaluated at /ofrep/v1/evaluate/flags.'),
});
