import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache, type TypedDocumentNode } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { ApolloProvider, useQuery, useSubscription } from '@apollo/client/react';
import { createClient } from 'graphql-ws';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

interface Feature {
  readonly id: string;
  readonly key: string;
  readonly enabled: boolean;
}

const Features: TypedDocumentNode<{ readonly viewer: { readonly features: readonly Feature[] } }> = gql`
  query Features {
    viewer { id features { id key enabled } }
  }
`;

// Each update finds the answers in the cache by their ids. `viewer` brings new flags into the list, and takes deleted ones out.
const Changes: TypedDocumentNode<unknown> = gql`
  subscription Changes {
    viewerFeatures { revision viewer { id features { id key enabled } } }
  }
`;

const socket = createClient({
  url: new URL('/graphql', location.href.replace('http', 'ws')).href,
  // By default a page gives up after five attempts.
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
});

const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(socket),
    new HttpLink({ uri: '/graphql' }),
  ),
  // The list of an update replaces the one before, also where a flag is gone.
  cache: new InMemoryCache({ typePolicies: { Viewer: { fields: { features: { merge: false } } } } }),
});

function Page() {
  const { data } = useQuery(Features);
  useSubscription(Changes, { ignoreResults: true });
  const keys = data?.viewer.features.filter(({ enabled }) => enabled).map(({ key }) => key);
  return <main>{keys === undefined ? 'Loading' : `On: ${keys.join(', ') || 'none'}`}</main>;
}

createRoot(document.getElementById('app') as HTMLElement).render(
  <StrictMode>
    <ApolloProvider client={client}>
      <Page />
    </ApolloProvider>
  </StrictMode>,
);
