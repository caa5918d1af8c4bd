import { attributeReader, ownAttribute, type Targeted } from './attribute-reader.js';
import type { Attributes } from './attributes.js';
import type { Json } from './json.js';
import { murmur3Plain, murmur3Premixed, type Premixed, premix } from './murmur3.js';
import { canonicalUserId } from './user-id.js';

/** A decision for one user about one flag that beats everything else until it expires. */
export interface OverrideDecision {
  readonly enabled: boolean;
  /** The key of the variant that the user has. Null, omitted, or a variant that the flag does not have: the flag's weights choose. */
  readonly variant?: string | null;
  /** Milliseconds since the epoch; null: never expires. At this instant it has ended. */
  readonly expiresAt: number | null;
}

/** The facts about the subject of an evaluation. Omitted fields are unknown. */
export interface SubjectFields {
  /** Null: anonymous. Groups and overrides of an anonymous subject are ignored. */
  readonly userId: string | null;
  /** The text that rollouts hash instead of the user id, such as the id of a company or a device. */
  readonly targetingKey: string | null;
  /** The id of a device, which is hashed where there is neither of the two, and by flags with `bucketBy: "$device"`. It is no identity. */
  readonly device: string | null;
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  /** By flag key. */
  readonly overrides: ReadonlyMap<string, OverrideDecision>;
}

/** A text that rollouts, rules and splits hash. */
export interface Unit {
  /** The hash of the text under a seed, as a signed 32-bit integer: V8 allocates larger numbers. */
  hash(seed: number): number;
}

/** Reads the unit of a flag. Null: the subject has none. */
export type UnitReader = (subject: Subject) => Unit | null;

/** The user, company or device that flags are evaluated for. Make one and evaluate many flags with it. */
export class Subject implements SubjectFields, Targeted, Unit {
  readonly device: string | null;
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  readonly overrides: ReadonlyMap<string, OverrideDecision>;
  readonly #userId: string | null;
  readonly #targetingKey: string | null;
  /** The text of the unit. A field and no getter: private getters make every subject slower. */
  readonly #key: string | null;
  /** Undefined before the first hash, null before the second. */
  #premixed: Premixed | null | undefined;
  /** The units that flags with `bucketBy` hash, by text. */
  #otherUnits: Map<string, HashedText> | null = null;

  constructor(fields: Partial<SubjectFields>) {
    this.#userId = fields.userId ?? null;
    this.#targetingKey = fields.targetingKey ?? null;
    this.device = fields.device ?? null;
    this.#key = this.#targetingKey ?? this.#userId ?? this.device;
    this.attributes = fields.attributes ?? noAttributes;
    const known = this.#userId !== null;
    this.groups = (known && fields.groups) || noGroups;
    this.overrides = (known && fields.overrides) || noOverrides;
  }

  /** A UUID in lower case, any other text as it was given. */
  get userId(): string | null {
    return this.#userId === null ? null : canonicalUserId(this.#userId);
  }

  /** A UUID in lower case, any other text as it was given. */
  get targetingKey(): string | null {
    return this.#targetingKey === null ? null : canonicalUserId(this.#targetingKey);
  }

  /** The unit of flags without `bucketBy`: the targeting key, else the user id, else the device. Null: there is none of them. */
  get unit(): Unit | null {
    // The subject itself, so that most evaluations allocate nothing.
    return this.#key === null ? null : this;
  }

  /**
   * The hash of the targeting key, else the user id, else the device, as a signed 32-bit integer; a UUID is hashed in lower case.
   * Null: there is none of them. The first hash is read directly from the text. From the second on, the text is premixed for all flags.
   */
  unitHash(seed: number): number | null {
    if (!this.#premixed) {
      const key = this.#key;
      if (key === null) return null;
      // Capitals are not plain, so a plain UUID is in lower case.
      const hash = this.#premixed === undefined ? murmur3Plain(key, seed) : -1;
      this.#premixed = null;
      if (hash !== -1) return hash | 0;
      this.#premixed = premix(canonicalUserId(key));
    }
    return murmur3Premixed(this.#premixed, seed) | 0;
  }

  /** The same of a subject that is its own {@link unit}. */
  hash(seed: number): number {
    return this.unitHash(seed) ?? 0;
  }

  /** The unit of this text. Each text is read once for all flags. */
  unitOf(text: string): Unit {
    this.#otherUnits ??= new Map();
    let unit = this.#otherUnits.get(text);
    if (unit === undefined) {
      unit = new HashedText(text);
      this.#otherUnits.set(text, unit);
    }
    return unit;
  }

  /** The written form: it names the user. Attributes are personal data, and stay out of logs unless a program writes them there. */
  toJSON(): Pick<SubjectFields, 'userId' | 'targetingKey' | 'device'> {
    return { userId: this.userId, targetingKey: this.targetingKey, device: this.device };
  }

  /** What `console.log` writes. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }
}

/** Creates a subject from the known facts. */
export function createSubject(fields: Partial<SubjectFields>): Subject {
  return new Subject(fields);
}

const noAttributes: Attributes = Object.freeze({});
const noGroups: ReadonlySet<string> = new Set();
const noOverrides: ReadonlyMap<string, OverrideDecision> = new Map();

class HashedText implements Unit {
  readonly #premixed: Premixed;

  constructor(text: string) {
    this.#premixed = premix(text);
  }

  hash(seed: number): number {
    return murmur3Premixed(this.#premixed, seed) | 0;
  }
}

/** The names in `bucketBy` that are not attributes. */
export const builtInUnits = ['$id', '$device'] as const;

/** The reader of the unit that `bucketBy` of a flag names. */
export function unitReader(bucketBy: string | null): UnitReader {
  if (bucketBy === null) return subject => subject.unit;
  if (bucketBy === '$id') return subject => unitOfValue(subject, subject.userId);
  if (bucketBy === '$device')
    return subject => unitOfValue(subject, subject.device === null ? null : canonicalUserId(subject.device));
  const read = attributeReader(bucketBy);
  return subject => unitOfValue(subject, read === null ? ownAttribute(subject.attributes, bucketBy) : read(subject));
}

/** A text is hashed as it is, and a number in its JSON form. Other values, and the empty text, count as missing. */
function unitOfValue(subject: Subject, value: Json | undefined): Unit | null {
  if (typeof value === 'number') return subject.unitOf(JSON.stringify(value));
  return typeof value === 'string' && value !== '' ? subject.unitOf(value) : null;
}
