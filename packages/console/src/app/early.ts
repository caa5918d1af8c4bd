import type { Client } from 'urql';
import { filter, pipe, take, toPromise } from 'wonka';
import { basePath } from '../data/place.js';
import { filterIn, toApi } from '../screens/flags/filter.js';
import { pageRequest } from '../screens/flags/first-page.js';

/** Asks for the list while the server is asked who the caller is, and while the screen is fetched. Most people come for it. */
export async function askEarly(client: Client): Promise<number | null> {
  if (location.pathname !== `${basePath}/`) return null;
  const request = pageRequest(toApi(filterIn(new URLSearchParams(location.search))), null);
  const context = { requestPolicy: 'cache-and-network', freshness: 'flags' } as const;
  const list = pipe(
    client.executeQuery(request, context),
    filter(({ stale }) => !stale),
    take(1),
    toPromise,
  );
  const { data } = await list;
  return data?.viewer.revision ?? null;
}
