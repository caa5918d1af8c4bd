import { type CompiledFlag, compileFlag } from '../core/evaluate.js';

/** The answers that replace those of the flags' definitions, by key. */
export type PinnedAnswers = ReadonlyMap<string, boolean>;

/** A registered symbol, so that two copies of the package in one program share it. Test runners load such copies. */
export const pin: unique symbol = Symbol.for('halyard.pin');

/** Layers of pinned answers. If two layers pin the same flag, the later one wins. Each layer can be removed at any time. */
export class Pins {
  readonly #layers = new Set<PinnedAnswers>();

  /** Every pinned flag, in a form that gives the pinned answer to everybody. */
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

/** A flag that gives the same answer to every subject. It is evaluated like any other flag. */
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
