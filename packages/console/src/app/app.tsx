import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Provider, useQuery } from 'urql';
import { Router } from 'wouter';
import { useSearch } from 'wouter/use-browser-location';
import { openData } from '../data/client.js';
import { basePath } from '../data/place.js';
import { signOut, useSession } from '../data/session.js';
import { Who, WhoContext } from '../data/who.js';
import { Button } from '../parts/button.js';
import { Empty } from '../parts/empty.js';
import { SignIn } from '../screens/sign-in/sign-in.js';
import { askEarly } from './early.js';
import { Shell } from './shell.js';

/** The console: a sign-in, and behind it one connection for all screens. */
export function App(): ReactNode {
  const { credential, reason } = useSession();
  const wasAsked = useRef(false);
  if (credential === null) {
    wasAsked.current = true;
    return <SignIn reason={reason} />;
  }
  return <SignedIn key={credential} credential={credential} wasAsked={wasAsked.current} />;
}

interface SignedInProps {
  readonly credential: string;
  /** Whether the page has asked for it: then the field that had the focus is gone. */
  readonly wasAsked: boolean;
}

function SignedIn({ credential, wasAsked }: SignedInProps): ReactNode {
  const [data, setData] = useState<ReturnType<typeof openData> | null>(null);
  useEffect(() => {
    const opened = openData(credential, askEarly);
    setData(opened);
    return opened.close;
  }, [credential]);
  if (data === null) return null;
  return (
    <Provider value={data.client}>
      <Router base={basePath} searchHook={useSearchAsItStands}>
        <Known wasAsked={wasAsked} />
      </Router>
    </Provider>
  );
}

/** Encoded once more for the router, which decodes it before it is read as parameters: a user `%41` would become `A`. */
function useSearchAsItStands(): string {
  return useSearch().replaceAll('%', '%25');
}

function Known({ wasAsked }: Pick<SignedInProps, 'wasAsked'>): ReactNode {
  const [{ data, error }, ask] = useQuery({ query: Who });
  // The server tells what it is to admins and readers alone.
  const isRefused = error?.graphQLErrors.some(({ extensions }) => extensions['code'] === 'FORBIDDEN') === true;
  useEffect(() => {
    if (isRefused) signOut('The console is for admins and readers, and this credential is of neither.');
  }, [isRefused]);
  useEffect(() => {
    const colour = data?.server.colour;
    if (colour != null) document.documentElement.style.setProperty('--env', colour);
  }, [data?.server.colour]);
  if (data != null) {
    return (
      <WhoContext.Provider value={data}>
        <Shell takesFocus={wasAsked} />
      </WhoContext.Provider>
    );
  }
  if (error === undefined || isRefused) return null;
  return (
    <Empty title="The server does not answer.">
      It may be starting. <Button onClick={() => ask({ requestPolicy: 'network-only' })}>Try again</Button>{' '}
      <Button onClick={() => signOut()}>Sign out</Button>
    </Empty>
  );
}
