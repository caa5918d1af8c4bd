import { storableIssues } from '../core/attributes.js';
import { type CompiledFlag, compileFlag, type Evaluation } from '../core/evaluate.js';
import type { FeatureValue } from '../core/feature-key.js';
import type { ValueType } from '../core/flag.js';
import { isPlainObject, type Json, typeName } from '../core/json.js';
import { deeplyFrozen } from '../core/values.js';
import type { Snapshot } from './snapshot.js';

/**
 * The answers that replace those of the flags' definitions, by key. A boolean is whether the flag is on; another value turns the flag
 * on with this value.
 */
export type PinnedAnswers = ReadonlyMap<string, boolean | PinnedValue>;

/** A value with its type. */
export interface PinnedValue {
  readonly type: ValueType;
  readonly value: Json;
}

/** The key of the variant of a pinned value. */
export const pinnedVariant = 'pinned';

/** A registered symbol, so that two copies of the package in one program share it. Test runners load such copies. */
export const pin: unique symbol = Symbol.for('halyard.pin');

/** Layers of pinned answers. If two layers pin the same flag, the later one wins. Each layer can be removed at any time. */
export class Pins {
  readonly #layers = new Set<PinnedAnswers>();

  /** The snapshot with every pinned flag over it, in a form that gives the pinned answer to everybody. */
  over(snapshot: Snapshot): Snapshot {
    const pins = new Map([...this.#layers].flatMap(layer => [...layer]));
    return snapshot.with([...pins].map(([key, pinned]) => pinnedFlag(key, pinned, snapshot.get(key))));
  }

  add(layer: PinnedAnswers): void {
    this.#layers.add(layer);
  }

  delete(layer: PinnedAnswers): void {
    this.#layers.delete(layer);
  }
}

/**
 * A pin of one flag.
 * @throws TypeError for a value that no flag can have.
 */
export function readPin(key: string, pinned: FeatureValue | undefined): boolean | PinnedValue {
  if (typeof pinned === 'boolean') return pinned;
  const type = typeOf(pinned);
  const issues = type === null ? [] : storableIssues(pinned, []);
  if (type === null || issues.length > 0) {
    const found =
      issues.map(({ path, message }) => `${['the value', ...path].join('.')}: ${message}`)[0] ?? typeName(pinned);
    throw new TypeError(
      `The feature "${key}" can be true, false, a text, a number, a JSON object or a list; found ${found}.`,
    );
  }
  return { type, value: deeplyFrozen(pinned as Json) };
}

function typeOf(value: unknown): ValueType | null {
  if (typeof value === 'string') return 'STRING';
  if (typeof value === 'number') return 'NUMBER';
  return Array.isArray(value) || isPlainObject(value) ? 'OBJECT' : null;
}

/** A flag that gives the same answer to every subject. It is evaluated like any other flag. */
function pinnedFlag(key: string, pinned: boolean | PinnedValue, stored: CompiledFlag | undefined): CompiledFlag {
  const flag = compileFlag({ key, enabled: pinned !== false, percentage: 100, conditions: {} });
  const answer = pinnedAnswer(flag, pinned, stored);
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

function pinnedAnswer({ answers }: CompiledFlag, pinned: boolean | PinnedValue, stored?: CompiledFlag): Evaluation {
  const plain = pinned === false ? answers.overrideOff : answers.overrideOn;
  if (typeof pinned !== 'boolean') return Object.freeze({ ...plain, ...pinned, variant: pinnedVariant });
  const values = stored?.valued?.values ?? null;
  if (values === null || values.type === 'BOOLEAN') return plain;
  const variant = pinned ? values.shares[0] : values.offVariant;
  return Object.freeze({ ...plain, type: values.type, variant: variant?.key ?? null, value: variant?.value ?? null });
}
