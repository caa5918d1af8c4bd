import type { Answer, Client, Snapshot } from '@halyard/client';

export const answer = (value: Answer['value'], enabled = true): Answer => ({
  enabled,
  value,
  variant: 'a',
  reason: 'ENABLED',
});

/** A client whose answers a test sets. */
export class MemoryClient implements Client {
  status: Client['status'] = 'connecting';
  source: Client['source'];
  #answers: Record<string, Answer>;
  readonly #onKey = new Map<string, Set<() => void>>();
  readonly #onChange = new Set<(keys: readonly string[]) => void>();
  readonly #onStatus = new Set<() => void>();
  readonly #ready: Promise<void>;
  #isReady = () => {};

  constructor(readonly bootstrap: Snapshot | undefined = undefined) {
    this.#answers = { ...bootstrap?.answers };
    this.source = bootstrap ? 'bootstrap' : 'default';
    this.#ready = new Promise(resolve => (this.#isReady = resolve));
    if (bootstrap) this.#isReady();
  }

  /** How many functions listen now. */
  get listeners(): number {
    const ofKeys = [...this.#onKey.values()].reduce((sum, listeners) => sum + listeners.size, 0);
    return ofKeys + this.#onChange.size + this.#onStatus.size;
  }

  /** An update of the server. */
  update(answers: Record<string, Answer>): void {
    this.#answers = { ...this.#answers, ...answers };
    this.status = 'live';
    this.source = 'live';
    this.#isReady();
    for (const key of Object.keys(answers)) for (const listener of this.#onKey.get(key) ?? []) listener();
    for (const listener of this.#onChange) listener(Object.keys(answers));
    for (const listener of this.#onStatus) listener();
  }

  ready = () => this.#ready;
  evaluate = (key: string) => this.#answers[key];
  isEnabled = (key: string, fallback = false) => this.#answers[key]?.enabled ?? fallback;
  value = (<Fallback>(key: string, fallback: Fallback) => this.#answers[key]?.value ?? fallback) as Client['value'];
  all = () => this.#answers;
  snapshot = () => ({ subject: '', revision: 1, answers: this.#answers });
  identify = async () => {};
  close = () => {};
  onChange = (listener: (keys: readonly string[]) => void) => added(this.#onChange, listener);
  onStatus = (listener: () => void) => added(this.#onStatus, listener);
  onKey(key: string, listener: () => void): () => void {
    const listeners = this.#onKey.get(key) ?? new Set();
    this.#onKey.set(key, listeners);
    return added(listeners, listener);
  }
}

function added<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
