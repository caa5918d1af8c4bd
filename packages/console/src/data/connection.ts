import { useSyncExternalStore } from 'react';
import { Store } from './store.js';

/** Whether the console hears of changes. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** @property since when the last news came, in milliseconds since the epoch. */
  | { readonly state: 'reconnecting'; readonly since: number };

export const connection = new Store<Connection>({ state: 'connecting' });

/** The connection has ended, or could not be made. */
export function noteClosed(): void {
  if (connection.get().state !== 'reconnecting') connection.set({ state: 'reconnecting', since: Date.now() });
}

export function useConnection(): Connection {
  return useSyncExternalStore(connection.subscribe, connection.get);
}
