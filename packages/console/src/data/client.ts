import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createSocket, type Client as Socket } from 'graphql-ws';
import { Client, errorExchange, fetchExchange, subscriptionExchange } from 'urql';
import { ActiveQueries } from './active-queries.js';
import { cacheConfig } from './cache.js';
import { connection, noteClosed } from './connection.js';
import { feedName, LiveFeed } from './live-feed.js';
import { graphqlUrl } from './place.js';
import { signOut } from './session.js';

/** What one session of the console has open. */
export interface Data {
  readonly client: Client;
  close(): void;
}

/** Asks for something before any screen is there. It tells the revision of the answer; null if there is none. */
export type AskEarly = (client: Client) => Promise<number | null>;

/** Codes with which the server closes a socket whose credential it does not take. */
const refusals: readonly number[] = [4401, 4403];
/** Milliseconds until the next attempt, at most. */
const longestPause = 5_000;

export function openData(credential: string, askEarly: AskEarly): Data {
  const queries = new ActiveQueries();
  const feed = new LiveFeed(queries);
  const socket = openSocket(credential, () => queries.refresh());
  const client = new Client({
    url: graphqlUrl,
    preferGetMethod: false,
    requestPolicy: 'cache-and-network',
    fetchOptions: () => ({ headers: { authorization: `Bearer ${credential}` } }),
    exchanges: [
      errorExchange({
        onError: ({ response, graphQLErrors }) => {
          const [first] = graphQLErrors;
          const isRefused = response?.status === 401 || first?.extensions['code'] === 'UNAUTHENTICATED';
          if (isRefused) signOut(first?.message ?? 'The server does not take this credential any more.');
        },
      }),
      cacheExchange(cacheConfig),
      queries.exchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables, operationName }) => ({
          subscribe: sink => {
            const isFeed = query.includes(`subscription ${feedName}`);
            const payload = {
              query,
              operationName: operationName ?? null,
              variables: variables as Record<string, unknown>,
            };
            const unsubscribe = socket.subscribe(isFeed ? feed.resuming(payload) : payload, {
              next: result => sink.next(result as Parameters<typeof sink.next>[0]),
              error: error => sink.error(Array.isArray(error) ? { message: error[0]?.message ?? '' } : error),
              complete: () => sink.complete(),
            });
            return { unsubscribe };
          },
        }),
      }),
    ],
  });
  feed.start(client, askEarly(client));
  return {
    client,
    close: () => {
      feed.stop();
      // It ends with the close of a socket that never opened, which was told where it happened.
      Promise.resolve(socket.dispose()).catch(() => {});
      connection.set({ state: 'connecting' });
    },
  };
}

function openSocket(credential: string, onBack: () => void): Socket {
  return createSocket({
    url: graphqlUrl.replace(/^http/, 'ws'),
    lazy: false,
    keepAlive: 10_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: async attempt => {
      const pause = Math.min(longestPause, 250 * 2 ** attempt);
      await new Promise(resolve => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
    },
    shouldRetry: event => !(event instanceof CloseEvent && refusals.includes(event.code)),
    connectionParams: { authorization: `Bearer ${credential}` },
    onNonLazyError: event => {
      if (event instanceof CloseEvent && refusals.includes(event.code)) {
        signOut(event.reason === '' ? 'The server does not take this credential any more.' : event.reason);
      }
    },
    on: {
      connected: (_socket, _payload, wasRetry) => {
        connection.set({ state: 'live' });
        if (wasRetry) onBack();
      },
      closed: () => noteClosed(),
    },
  });
}
