import type { Features, FeatureUser } from '../features/features.js';

/** What answers in place of a handler whose feature is off. */
export interface RequireFeatureOptions<GatedRequest = Request> {
  readonly features: Pick<Features, 'for'>;
  /** Who asks. Not given, or null: somebody anonymous. */
  readonly user?: (request: GatedRequest) => FeatureUser | null | Promise<FeatureUser | null>;
  /** 404 (the default) tells nothing; 403 tells that there is something. */
  readonly status?: 404 | 403;
  /** Redirects there (302) instead. */
  readonly redirectUrl?: string;
  /** What the answer says. Default: "Not found." or "Forbidden." */
  readonly message?: string;
}

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
export function requireFeature<GatedRequest = Request>(key: string, options: RequireFeatureOptions<GatedRequest>) {
  return <Rest extends unknown[]>(handler: FetchHandler<GatedRequest, Rest>) =>
    async (request: GatedRequest, ...rest: Rest): Promise<Response> => {
      const user = (await options.user?.(request)) ?? null;
      return (await isOpen(key, options.features, user)) ? handler(request, ...rest) : closedAnswer(options);
    };
}

async function isOpen(key: string, features: Pick<Features, 'for'>, user: FeatureUser | null): Promise<boolean> {
  try {
    return await features.for(user).isEnabled(key);
  } catch {
    return false;
  }
}

function closedAnswer({ status = 404, redirectUrl, message }: RequireFeatureOptions<never>): Response {
  // The feature may be on a moment later: nobody should remember this answer.
  const headers = { 'cache-control': 'no-store' };
  if (redirectUrl !== undefined) {
    return new Response(null, { status: 302, headers: { ...headers, location: redirectUrl } });
  }
  return Response.json({ message: message ?? (status === 404 ? 'Not found.' : 'Forbidden.') }, { status, headers });
}
