import { useSyncExternalStore } from 'react';
import { consoleUrl } from './place.js';
import { Store } from './store.js';

/** Who is signed in in this tab. */
export interface Session {
  /** A token or an API key. Null: nobody is signed in. */
  readonly credential: string | null;
  /** Why nobody is signed in any more; null where there is nothing to say. */
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
    signOut(answer.errors?.[0]?.message ?? 'The server did not take the code. Run "halyard console" again.');
  } catch {
    signOut('The server did not answer. Run "halyard console" again.');
  }
}
