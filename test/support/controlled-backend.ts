import type { Backend } from '../../src/backends/backend.js';

type Call = keyof Backend;

/** A real backend whose calls can be counted, held back and made to fail. */
export interface ControlledBackend extends Backend {
  /** How often a method was called so far. */
  count(method: Call): number;
  /** Lets calls of this method reach the store, but keeps their answers until the returned function is called. */
  hold(method: Call): () => void;
  /** Makes calls of this method reject until the returned function is called. */
  fail(method: Call, error: Error): () => void;
  /** From now on no hint that the log has grown arrives. */
  loseHints(): void;
}

export function controlled(backend: Backend): ControlledBackend {
  const counts = new Map<Call, number>();
  const held = new Map<Call, Promise<void>>();
  const failing = new Map<Call, Error>();

  let isDeaf = false;

  const controls = {
    loseHints: () => {
      isDeaf = true;
    },
    count: (method: Call) => counts.get(method) ?? 0,
    hold: (method: Call) => {
      let release = () => {};
      held.set(method, new Promise(resolve => (release = resolve)));
      return () => {
        held.delete(method);
        release();
      };
    },
    fail: (method: Call, error: Error) => {
      failing.set(method, error);
      return () => failing.delete(method);
    },
  };

  return new Proxy(backend, {
    get(target, property) {
      if (property in controls) return controls[property as keyof typeof controls];
      const member = Reflect.get(target, property) as unknown;
      if (typeof member !== 'function') return member;
      const method = property as Call;
      if (method === 'onNotes') return (listener: () => void) => target.onNotes(listener);
      if (method === 'onHint') return (listener: () => void) => target.onHint(() => isDeaf || listener());
      return async (...args: unknown[]) => {
        counts.set(method, controls.count(method) + 1);
        const error = failing.get(method);
        if (error !== undefined) throw error;
        const answer = await member.apply(target, args);
        await held.get(method);
        return answer;
      };
    },
  }) as ControlledBackend;
}
