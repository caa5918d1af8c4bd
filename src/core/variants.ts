import { storableIssues } from './attributes.js';
import type { Issue } from './errors.js';
import { type Flag, isFlagKey, type Share, type ValueType, type Variant } from './flag.js';
import { inexactNumber, isPlainObject, typeName } from './json.js';
import { shortened } from './text.js';

/** Limits of one flag's variants and rules. */
export const valueLimits = {
  variants: 100,
  rules: 100,
  /** Bytes of JSON of one value. */
  valueBytes: 16_384,
  /** Bytes of JSON of all variants and rules of a flag together. */
  flagBytes: 262_144,
  /** The highest weight. */
  weight: 100_000,
  /** Levels of lists and objects in one value. */
  depth: 16,
} as const;

/** The most faults of one object or value that are listed. An object may have any number of fields. */
const mostFaults = 100;

const inexactValue =
  'Expected a number that JavaScript keeps as it is: integers up to 9,007,199,254,740,991. For larger ones create the flag with the type STRING.';

/** The variants of every BOOLEAN flag. They are not stored. */
export const booleanVariants: readonly Variant[] = Object.freeze([
  Object.freeze({ key: 'on', value: true, weight: 0 }),
  Object.freeze({ key: 'off', value: false, weight: 0 }),
]);

/** The off variant of BOOLEAN flags. */
export const booleanOffVariant = 'off';

const forms: { readonly [type in ValueType]: { readonly form: string; readonly fits: (value: unknown) => boolean } } = {
  BOOLEAN: { form: 'true or false', fits: value => typeof value === 'boolean' },
  STRING: { form: 'a text', fits: value => typeof value === 'string' },
  NUMBER: { form: 'a number', fits: value => typeof value === 'number' },
  OBJECT: { form: 'an object or a list', fits: value => Array.isArray(value) || isPlainObject(value) },
};

/** The faults of variants before they are stored, without those that depend on the type of the flag. */
export function variantIssues(value: unknown): Issue[] {
  if (!Array.isArray(value)) {
    return [
      { path: ['variants'], message: 'Expected a list such as [{"key": "blue", "value": "#00f", "weight": 1}].' },
    ];
  }
  if (value.length > valueLimits.variants) {
    return [
      { path: ['variants'], message: `Expected at most ${valueLimits.variants} variants, found ${value.length}.` },
    ];
  }
  const keys = new Set<string>();
  return Array.from(value, (variant: unknown, index) => {
    const path = ['variants', String(index)];
    if (!isPlainObject(variant)) {
      return [{ path, message: `Expected an object with "key", "value" and "weight", found ${typeName(variant)}.` }];
    }
    const issues = [
      ...unknownFields(variant, ['key', 'value', 'weight'], path),
      ...variantKeyIssues(variant['key'], [...path, 'key']),
      ...('value' in variant
        ? valueIssues(variant['value'], [...path, 'value'])
        : [{ path: [...path, 'value'], message: 'Expected a value of the type of the flag.' }]),
      ...weightIssues(variant['weight'], [...path, 'weight']),
    ];
    const { key } = variant;
    if (typeof key === 'string') {
      if (keys.has(key)) issues.push({ path: [...path, 'key'], message: 'Another variant has this key already.' });
      keys.add(key);
    }
    return issues;
  }).flat();
}

/** The faults of a list of shares. */
export function shareIssues(value: unknown, path: readonly string[]): Issue[] {
  if (!Array.isArray(value)) return [{ path, message: 'Expected a list such as [{"variant": "blue", "weight": 1}].' }];
  if (value.length > valueLimits.variants) {
    return [{ path, message: `Expected at most ${valueLimits.variants} shares, found ${value.length}.` }];
  }
  const named = new Set<unknown>();
  const issues = Array.from(value, (share: unknown, index) => {
    const at = [...path, String(index)];
    if (!isPlainObject(share)) {
      return [{ path: at, message: `Expected an object with "variant" and "weight", found ${typeName(share)}.` }];
    }
    const { variant } = share;
    const found = [
      ...unknownFields(share, ['variant', 'weight'], at),
      ...variantKeyIssues(variant, [...at, 'variant']),
      ...weightIssues(share['weight'], [...at, 'weight']),
    ];
    if (named.has(variant))
      found.push({ path: [...at, 'variant'], message: 'Another share names this variant already.' });
    named.add(variant);
    return found;
  }).flat();
  if (issues.length === 0 && value.length > 0 && !value.some(({ weight }: Share) => weight > 0)) {
    issues.push({ path: [...path], message: 'Expected at least one weight above 0.' });
  }
  return issues;
}

/** The faults of a variant's key: the form of a flag's key. */
export function variantKeyIssues(key: unknown, path: readonly string[]): Issue[] {
  if (typeof key === 'string' && isFlagKey(key)) return [];
  const message = `Expected 1 to 100 letters, digits, ".", "_", ":" or "-", beginning with a letter or a digit, found ${foundText(key)}.`;
  return [{ path, message }];
}

/** What was found in place of a text of another form. */
export function foundText(value: unknown): string {
  return typeof value === 'string' ? `"${shortened(value)}"` : typeName(value);
}

/** What was found in place of another number. */
export function foundNumber(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeName(value);
}

function weightIssues(weight: unknown, path: readonly string[]): Issue[] {
  if (isWeight(weight)) return [];
  return [{ path, message: `Expected a whole number from 0 to ${valueLimits.weight}, found ${foundNumber(weight)}.` }];
}

function valueIssues(value: unknown, path: readonly string[]): Issue[] {
  const issues = storableIssues(value, path, valueLimits.depth);
  if (issues.length > 0) {
    return issues
      .slice(0, mostFaults)
      .map(issue => (issue.message === inexactNumber ? { ...issue, message: inexactValue } : issue));
  }
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > valueLimits.valueBytes
    ? [{ path, message: `Expected at most ${valueLimits.valueBytes} bytes of JSON, found ${bytes}.` }]
    : [];
}

/** A fault for each field that is none of these, at most 100. */
export function unknownFields(
  value: { readonly [name: string]: unknown },
  known: readonly string[],
  path: readonly string[],
): Issue[] {
  return Object.keys(value)
    .filter(name => !known.includes(name))
    .slice(0, mostFaults)
    .map(name => ({
      path: [...path, shortened(name)],
      message: `There is no such field. Expected ${known.join(', ')}.`,
    }));
}

/** The variants of a flag that are consistent with its type and its off variant, or the faults. Their form has been checked. */
export function typedVariantIssues(type: ValueType, variants: readonly Variant[], offVariant: string): Issue[] {
  if (type === 'BOOLEAN') {
    const issues: Issue[] = [];
    if (variants.length > 0) {
      issues.push({
        path: ['variants'],
        message:
          'A BOOLEAN flag has the variants on and off, and no others: leave variants out, or create the flag with another type.',
      });
    }
    if (offVariant !== booleanOffVariant) {
      issues.push({ path: ['offVariant'], message: 'The off variant of a BOOLEAN flag is off: leave it out.' });
    }
    return issues;
  }
  if (variants.length === 0) {
    return [{ path: ['variants'], message: `A flag of the type ${type} needs at least one variant.` }];
  }
  const { form, fits } = forms[type];
  const issues: Issue[] = variants.flatMap(({ value }, index) =>
    fits(value)
      ? []
      : [
          {
            path: ['variants', String(index), 'value'],
            message: `Expected ${form}, the type of the flag, found ${typeName(value)}.`,
          },
        ],
  );
  if (!variants.some(({ weight }) => weight > 0)) {
    issues.push({ path: ['variants'], message: 'Expected at least one variant with a weight above 0.' });
  }
  if (!variants.some(({ key }) => key === offVariant))
    issues.push(unknownVariant(offVariant, variants, ['offVariant']));
  return issues;
}

/** The fault of a key that names none of the variants. */
export function unknownVariant(key: string, variants: readonly Variant[], path: readonly string[]): Issue {
  const keys = variantKeys(variants).join(', ');
  return { path, message: `The flag has no variant "${shortened(key)}". Its variants are ${shortened(keys)}.` };
}

/**
 * The faults of the variant that an override names.
 * @param flag null: there is none, which is another fault.
 */
export function overrideVariantIssues(
  override: { readonly enabled: boolean; readonly variant?: string | null },
  flag: Pick<Flag, 'key' | 'type' | 'variants'> | null,
): Issue[] {
  const { enabled, variant = null } = override;
  const path = ['variant'];
  if (variant === null) return [];
  if (!enabled) return [{ path, message: 'An override that is off gives the off variant: leave variant out.' }];
  if (flag === null) return [];
  if (flag.type === 'BOOLEAN') return [{ path, message: `The flag "${flag.key}" is BOOLEAN: leave variant out.` }];
  return variantKeys(flag.variants).includes(variant) ? [] : [unknownVariant(variant, flag.variants, path)];
}

/** The keys of stored variants. Another program may have stored entries of any form. */
export function variantKeys(variants: readonly unknown[]): string[] {
  return variants.flatMap(variant =>
    isPlainObject(variant) && typeof variant['key'] === 'string' ? [variant['key']] : [],
  );
}

/** The well-formed ones of stored variants. Another program may have stored entries of any form, which have no effect. */
export function readableVariants(variants: unknown): Variant[] {
  if (!Array.isArray(variants)) return [];
  return variants.filter((variant: unknown): variant is Variant => {
    if (!isPlainObject(variant)) return false;
    const { key, value = null, weight } = variant;
    return typeof key === 'string' && value !== null && isWeight(weight);
  });
}

/** Whether a value may be the weight of a variant: a whole number from 0 to 100,000. */
export function isWeight(weight: unknown): weight is number {
  return Number.isInteger(weight) && (weight as number) >= 0 && (weight as number) <= valueLimits.weight;
}
