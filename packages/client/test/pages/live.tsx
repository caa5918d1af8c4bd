/** A page that shows the answers of a real server, and keeps a record of every render. */
import { createClient } from '@halyard/client';
import { HalyardProvider, useFeature, useStatus, useValue } from '@halyard/client/react';
import { share } from '@halyard/client/share';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

/** What the test sets before the page loads. */
interface Settings {
  readonly subject?: string;
  readonly hiddenAfter?: number;
  readonly shares?: boolean;
}

declare global {
  var settings: Settings;
  var token: string | undefined;
}

const { subject, hiddenAfter, shares } = globalThis.settings;
/** The codes of failures that the client has gone on from. */
const failures: string[] = [];
const client = createClient({
  url: location.origin,
  onError: ({ code }) => void failures.push(code),
  subject,
  hiddenAfter,
  token: () => globalThis.token ?? null,
  share: shares ? share() : undefined,
});

/** `whose` is the value of a flag that says for whom the answers are; `nobody` while there are none. */
const renders: { readonly user: string; readonly whose: string; readonly isOn: boolean; readonly source: string }[] =
  [];
let setUser = (_user: string) => {};

function App() {
  const [user, set] = useState(subject ?? 'visitor');
  useEffect(() => {
    setUser = set;
  }, []);
  const isOn = useFeature('a');
  const whose = useValue('whose', 'nobody');
  const { status, source } = useStatus();
  renders.push({ user, whose, isOn, source });
  return (
    <>
      <p id="answer">
        {user} {whose} {isOn ? 'on' : 'off'}
      </p>
      <p id="status">{status}</p>
    </>
  );
}

/** What stood on the screen at some time. */
const seen = new Set<string>();
const element = document.body.appendChild(document.createElement('main'));
new MutationObserver(() => seen.add(document.querySelector('#answer')?.textContent ?? '')).observe(element, {
  subtree: true,
  childList: true,
  characterData: true,
});

Object.assign(globalThis, {
  failures,
  renders,
  seen: () => [...seen],
  /** As a page does it when another user has signed in. */
  signIn(user: string, token: string, clear?: boolean): void {
    globalThis.token = token;
    void client.identify({ subject: user, clear });
    setUser(user);
  },
});

createRoot(element).render(
  <HalyardProvider client={client}>
    <App />
  </HalyardProvider>,
);
