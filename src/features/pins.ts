import { type CompiledFlag, compileFlag } from '../core/evaluate.js';

/** What a flag answers whatever its definition says, by key. */
export type PinnedAnswers = ReadonlyMap<string, boolean>;

/** Registered, so that two copies of the package in one program, as test runners load them, share it. */
export const pin: unique symbol = Symbol.for('halyard.pin');

/** Pins one over the other. Where two name one flag the later one holds; each can be taken away at any time. */
export class Pins {
  readonly #layers = new Set<PinnedAnswers>();

  /** Every pinned flag, as one that gives its pinned answer to everybody. */
  get flags(): CompiledFlag[] {
    return [...new Map([...this.#layers].flatMap(layer => [...layer]))].map(([key, enabled]) =>
      pinnedFlag(key, enabled),
    );
  }

  add(layer: PinnedAnswers): void {
    this.#layers.add(layer);
  }

  delete(layer: PinnedAnswers): void {
    this.#layers.delete(layer);
  }
}

/** A flag whose every answer is the same, to whatever subject: evaluated as any other. */
function pinnedFlag(key: string, enabled: boolean): CompiledFlag {
  const flag = compileFlag({ key, enabled, percentage: 100, conditions: {} });
  const answer = enabled ? flag.answers.overrideOn : flag.answers.overrideOff;
  return {
    ...flag,
    answers: {
      overrideOn: answer,
      overrideOff: answer,
      disabled: answer,
      userRequired: answer,
      outsideRollout: answer,
      conditionsNotMet: answer,
      on: answer,
    },
  };
}
