import { type NodeNote, noteLife } from './backend.js';

/** The notes of a backend in memory: those of several services over one backend. */
export class MemoryNotes {
  readonly #now: () => Date;
  readonly #notes = new Map<string, { readonly note: NodeNote; readonly at: number }>();
  readonly #listeners = new Set<() => void>();

  constructor(now: () => Date) {
    this.#now = now;
  }

  exchange(own: NodeNote | null, isNews: boolean): readonly NodeNote[] {
    const now = this.#now().getTime();
    const isNote = own !== null && (own.asks !== null || own.answer !== null);
    if (isNote) this.#notes.set(own.node, { note: own, at: now });
    else if (own !== null) this.#notes.delete(own.node);
    for (const [node, { at }] of this.#notes) if (at <= now - noteLife) this.#notes.delete(node);
    if (isNews && isNote) for (const listener of [...this.#listeners]) listener();
    return [...this.#notes.values()].flatMap(({ note }) => (note.node === own?.node ? [] : [note]));
  }

  onNotes(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  removeListeners(): void {
    this.#listeners.clear();
  }
}
