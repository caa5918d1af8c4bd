import { type Attributes, attributeLimits, isReservedName, valueAt } from './attributes.js';
import type { Json } from './json.js';

/** What conditions know about the subject of an evaluation. */
export interface Targeted {
  readonly attributes: Attributes;
  readonly groups: ReadonlySet<string>;
  /** The user id as the caller states it, a UUID in lower case. Null: anonymous. */
  readonly userId: string | null;
  /** The targeting key that the caller states. Null: none. */
  readonly targetingKey: string | null;
}

/** Reads an attribute. Undefined: missing. Never throws. */
export type AttributeReader = (subject: Targeted) => Json | undefined;

/** Attributes that every subject has without stating them. They are text. An attribute of the same name never stands in for one. */
export const builtInAttributes: { readonly [name: `$${string}`]: AttributeReader } = {
  $id: ({ userId }) => userId ?? undefined,
  $targetingKey: ({ targetingKey, userId }) => targetingKey ?? userId ?? undefined,
};

/** Whether conditions may name a built-in attribute so. */
export function isBuiltIn(name: string): name is `$${string}` {
  return Object.hasOwn(builtInAttributes, name);
}

/**
 * The reader of an attribute that is more than a name at the top level: a built-in one, or a path with dots.
 * Null for all others, which {@link ownAttribute} reads.
 */
export function attributeReader(name: string): AttributeReader | null {
  if (isBuiltIn(name)) return builtInAttributes[name] as AttributeReader;
  const path = name.split('.');
  if (path.length === 1 || path.length > attributeLimits.depth || isReservedName(name)) return null;
  return ({ attributes }) => ownAttribute(attributes, name) ?? valueAt(attributes, path);
}

/** `Object.hasOwn` takes more than twice as long in V8. */
const { hasOwnProperty: isOwn } = Object.prototype;

/** Own properties only: an attribute is never a method or `__proto__` that the object inherits. */
export function ownAttribute(attributes: Attributes, name: string): Json | undefined {
  return isOwn.call(attributes, name) ? (attributes[name] ?? undefined) : undefined;
}
