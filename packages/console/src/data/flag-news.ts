import { Store } from './store.js';

/** The revision after which flags were last made, changed or deleted by anybody, half a second late at most. Null: not since the start. */
export const flagNews = new Store<number | null>(null);
