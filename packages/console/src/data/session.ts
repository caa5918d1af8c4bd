import { useSyncExternalStore } from 'react';
import { consoleUrl } from './place.js';
import { Store } from './store.js';

/** Who is signed in in this tab. */
export interface Session {
  /** A token or an API key. Null: nobody is signed in. */
  readonly credential: string | null;
  /** Why nobody is signed in any more, or why a code was not taken; null where there is nothing to say. */
  readonly reason: string | null;
}

const slot = 'halyard.credential';

const session = new Store<Session>({ credential: sessionStorage.getItem(slot), reason: null });

export function signIn(credential: string): void {
  sessionStorage.setItem(slot, credential);
  session.set({ credential, reason: null });
}

/** @param reason a sentence for the reader. */
export function signOut(reason: string | null = null): void {
  if (session.get().credential === null && reason === null) return;
  sessionStorage.removeItem(slot);
  session.set({ credential: null, reason });
}

/** Says why a code was not taken. Whoever is signed in stays so: a code from anywhere must not end a session. */
function refuse(reason: string): void {
  const { credential } = session.get();
  session.set({ credential, reason: credential === null ? reason : `${reason} You are still signed in as before.` });
}

/** The reader has read why a code was not taken. */
export function dismissReason(): void {
  session.set({ ...session.get(), reason: null });
}

export function useSession(): Session {
  return useSyncExternalStore(session.subscribe, session.get);
}

/**
 * Signs in with the code in the address, if there is one. The code leaves the address before anything else happens.
 */
export async function redeemCode(): Promise<void> {
  if (!location.hash.startsWith('#code=')) return;
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  history.replaceState(null, '', location.pathname + location.search);
  try {
    const response = await fetch(new URL('session', consoleUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    const answer = (await response.json()) as { token?: string; errors?: readonly { message: string }[] };
    if (answer.token !== undefined) return signIn(answer.token);
    refuse(refusalOf(response.status, answer.errors?.[0]?.message));
  } catch {
    refuse(`The server did not answer. ${runAgain}`);
  }
}

const runAgain = 'Run "halyard console" again.';

/** What the server says, with what to do. The code has left the address, so in no case is it sent again. */
function refusalOf(status: number, message: string | undefined): string {
  // What was sent has no form of a code, and the server speaks to programs of its body.
  if (message === undefined || status === 400 || status === 413) return `The code is not valid. ${runAgain}`;
  // Where only an identity provider signs tokens, no code helps.
  return message.includes(runAgain) || status === 403 ? message : `${message} ${runAgain}`;
}
