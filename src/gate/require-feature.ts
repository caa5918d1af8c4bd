import type { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { FeatureUser } from '../features/features.js';
import { closedBy, type GateOptions } from './gate.js';

export type RequireFeatureOptions<GatedRequest = Request, User = FeatureUser> = GateOptions<GatedRequest, User>;

type FetchHandler<GatedRequest, Rest extends unknown[]> = (
  request: GatedRequest,
  ...rest: Rest
) => Response | Promise<Response>;

/**
 * Lets a fetch-style handler answer only those for whom the feature is on. Closed when that cannot be determined: an
 * unreachable database opens nothing.
 *
 * @example
 * const gated = requireFeature('new_checkout', { features, user: currentUser });
 * export const GET = gated(request => new Response('the new checkout'));
 */
export function requireFeature<GatedRequest = Request, User = FeatureUser>(
  key: FeatureKey,
  options: RequireFeatureOptions<GatedRequest, User>,
) {
  return <Rest extends unknown[]>(handler: FetchHandler<GatedRequest, Rest>) =>
    async (request: GatedRequest, ...rest: Rest): Promise<Response> => {
      const closed = await closedBy(key, request, options);
      return closed === null ? handler(request, ...rest) : answer(closed);
    };
}

function answer({ status, redirectUrl, message }: FeatureDisabledError): Response {
  // The feature may be on a moment later: nobody should remember this answer.
  const headers = { 'cache-control': 'no-store' };
  if (redirectUrl !== null) return new Response(null, { status, headers: { ...headers, location: redirectUrl } });
  return Response.json({ message }, { status, headers });
}
