import { isReservedName } from './attributes.js';
import type { Condition, Predicate } from './condition-tree.js';
import { readConditions } from './conditions.js';
import type { Issue } from './errors.js';
import { type FlagDefinition, type FlagValues, type ValueType, type Variant, valueTypes } from './flag.js';
import type { Json } from './json.js';
import { rolloutBuckets, rolloutSeed } from './rollout.js';
import { readRules } from './rules.js';
import { SearchBudget } from './search-budget.js';
import { type SplitShare, splitSeed, variantHash } from './split.js';
import { builtInUnits, type UnitReader, unitReader } from './subject.js';
import { isName, maxNameLength } from './text.js';
import {
  booleanVariants,
  foundText,
  typedVariantIssues,
  unknownVariant,
  valueLimits,
  variantIssues,
  variantKeyIssues,
  variantKeys,
} from './variants.js';

/** The values of a flag without variants and rules. */
export const plainValues: FlagValues = Object.freeze({
  type: 'BOOLEAN',
  variants: [],
  offVariant: 'off',
  rules: [],
  bucketBy: null,
});

/** A variant with its place in a split. */
export interface CompiledVariant extends SplitShare {
  readonly value: Json;
}

/** A rule that is ready for evaluation. */
export interface CompiledRule {
  readonly id: string;
  /** Null: matches everybody. */
  readonly predicate: Predicate | null;
  /** The same conditions with their structure, for explanations. */
  readonly condition: Condition | null;
  /** Buckets below this number are inside, 0 to 10,000. */
  readonly buckets: number;
  readonly seed: number;
  readonly on: boolean;
  /** The variants that the rule serves; at least one. */
  readonly shares: readonly CompiledVariant[];
}

/** The values of a flag, ready for evaluation. */
export interface CompiledValues {
  readonly type: ValueType;
  /** The variants that overrides may name, by key. Those of a BOOLEAN flag follow `enabled` alone. */
  readonly variants: ReadonlyMap<string, CompiledVariant>;
  readonly offVariant: CompiledVariant;
  /** The variants with a positive weight; at least one. */
  readonly shares: readonly CompiledVariant[];
  readonly rules: readonly CompiledRule[];
  readonly unitOf: UnitReader;
  readonly splitSeed: number;
}

export interface ReadValues {
  /** Every fault; the values may be written when there is none. */
  readonly issues: readonly Issue[];
  /** The faults that also stop values that are stored already; see `readConditions`. */
  readonly faults: readonly Issue[];
  /** Null: there are faults. */
  readonly compiled: CompiledValues | null;
  /** Every group that the rules name. */
  readonly groups: ReadonlySet<string>;
}

/**
 * Checks and compiles the values of a flag. Accepts any value in each field, and never throws.
 * @param budget shared with the conditions of the flag.
 */
export function readValues(definition: FlagDefinition, budget: SearchBudget): ReadValues {
  const fields: FlagValues & FlagDefinition = { ...plainValues, ...definition };
  const read = readRules(fields.rules, budget);
  const form = [...typeIssues(fields.type), ...variantIssues(fields.variants), ...bucketByIssues(fields.bucketBy)];
  if (form.length === 0) form.push(...variantKeyIssues(fields.offVariant, ['offVariant']));
  const isReadable = form.length === 0 && read.faults.length === 0;
  const related = isReadable ? relationIssues(fields) : [];
  const faults = [...form, ...read.faults, ...related];
  const issues = [...form, ...read.issues, ...related];
  if (faults.length > 0) return { issues, faults, compiled: null, groups: read.groups };
  const compiled = compileValues(fields.key, fields, read.conditions);
  return { issues, faults, compiled, groups: read.groups };
}

/** Every fault of a definition before it is stored, also between its fields. */
export function definitionIssues(definition: FlagDefinition): Issue[] {
  return [...readDefinition(definition).issues];
}

/**
 * The faults of a stored definition after a patch. Fields that stay are only held to what stops stored definitions, because some
 * rules for what is written are younger than what is stored; and faults that they had before are no fault of the patch.
 */
export function patchIssues(stored: FlagDefinition, patch: Partial<FlagDefinition>): Issue[] {
  const { issues, faults } = readDefinition({ ...stored, ...patch });
  const known = new Set(readDefinition(stored).faults.map(fault => JSON.stringify(fault)));
  const isGiven = ({ path: [field] }: Issue) => field !== undefined && field in patch;
  return [...issues.filter(isGiven), ...faults.filter(fault => !isGiven(fault) && !known.has(JSON.stringify(fault)))];
}

function readDefinition(definition: FlagDefinition): Pick<ReadValues, 'issues' | 'faults'> {
  const budget = new SearchBudget();
  const conditions = readConditions(definition.conditions, ['conditions'], budget);
  const values = readValues(definition, budget);
  return { issues: [...conditions.issues, ...values.issues], faults: [...conditions.faults, ...values.faults] };
}

function typeIssues(type: unknown): Issue[] {
  return (valueTypes as readonly unknown[]).includes(type)
    ? []
    : [{ path: ['type'], message: `Expected one of ${valueTypes.join(', ')}.` }];
}

/** The faults of `bucketBy` before it is stored. */
export function bucketByIssues(bucketBy: unknown): Issue[] {
  const isBuiltIn = (builtInUnits as readonly unknown[]).includes(bucketBy);
  const isAttribute = typeof bucketBy === 'string' && isName(bucketBy) && !isReservedName(bucketBy);
  if (bucketBy === null || isBuiltIn || isAttribute) return [];
  const message = `Expected ${builtInUnits.join(', ')} or the name of an attribute, 1 to ${maxNameLength} characters, found ${foundText(bucketBy)}.`;
  return [{ path: ['bucketBy'], message }];
}

/**
 * The faults of a patch that removes variants which the fields that stay name. Without this, the error would be about a field that
 * the patch does not have.
 */
export function removalIssues(flag: FlagDefinition, patch: Partial<FlagValues>): Issue[] {
  // What another program stored may have any form.
  if (patch.variants === undefined || readValues(flag, new SearchBudget()).compiled === null) return [];
  const { rules, offVariant } = { ...plainValues, ...flag };
  const kept = new Set(variantKeys(patch.variants));
  const issues: Issue[] = [];
  const refuse = (message: string) => issues.push({ path: ['variants'], message });
  if (patch.offVariant === undefined && flag.type !== 'BOOLEAN' && !kept.has(offVariant)) {
    refuse(`The variant "${offVariant}" is the off variant: give another one as "offVariant", or keep it.`);
  }
  for (const { id, serve } of patch.rules === undefined ? rules : []) {
    for (const { variant } of serve.filter(share => !kept.has(share.variant))) {
      refuse(`The variant "${variant}" is named by the rule "${id}": change "rules" too, or keep it.`);
    }
  }
  return issues;
}

/** The faults between fields whose form is right. */
function relationIssues({ type, variants, offVariant, rules }: FlagValues): Issue[] {
  const issues = typedVariantIssues(type, variants, offVariant);
  const keys = new Set(variants.map(({ key }) => key));
  for (const [index, { serve }] of rules.entries()) {
    const path = ['rules', String(index), 'serve'];
    if (type === 'BOOLEAN') {
      if (serve.length > 0)
        issues.push({ path, message: 'A rule of a BOOLEAN flag turns it on or off: leave "serve" out.' });
      continue;
    }
    for (const [place, { variant }] of serve.entries()) {
      if (!keys.has(variant)) issues.push(unknownVariant(variant, variants, [...path, String(place), 'variant']));
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify([variants, rules]));
  if (bytes > valueLimits.flagBytes) {
    issues.push({
      path: [JSON.stringify(rules).length > bytes / 2 ? 'rules' : 'variants'],
      message: `Expected at most ${valueLimits.flagBytes} bytes of JSON in all variants and rules together, found ${bytes}.`,
    });
  }
  return issues;
}

function compileValues(key: string, fields: FlagValues, conditions: readonly (Condition | null)[]): CompiledValues {
  const { type, rules } = fields;
  const stored: readonly Variant[] = type === 'BOOLEAN' ? booleanVariants : fields.variants;
  const variants = new Map(stored.map(variant => [variant.key, compileVariant(variant)]));
  const variantOf = (variantKey: string) => variants.get(variantKey) as CompiledVariant;
  const sharesOf = (weights: readonly (readonly [key: string, weight: number])[]) =>
    weights.filter(([, weight]) => weight > 0).map(([name, weight]) => ({ ...variantOf(name), weight }));
  const shares =
    type === 'BOOLEAN' ? [variantOf('on')] : sharesOf(stored.map(variant => [variant.key, variant.weight]));
  return {
    type,
    variants: type === 'BOOLEAN' ? new Map() : variants,
    offVariant: variantOf(fields.offVariant),
    shares,
    rules: rules.map((rule, index) => ({
      id: rule.id,
      predicate: conditions[index]?.matches ?? null,
      condition: conditions[index] ?? null,
      buckets: Math.round((rule.percentage * rolloutBuckets) / 100),
      seed: rolloutSeed(`${key}/${rule.id}`),
      on: rule.on,
      shares: rule.serve.length === 0 ? shares : sharesOf(rule.serve.map(({ variant, weight }) => [variant, weight])),
    })),
    unitOf: unitReader(fields.bucketBy),
    splitSeed: splitSeed(key),
  };
}

function compileVariant({ key, value, weight }: Variant): CompiledVariant {
  return { key, weight, hash: variantHash(key), value: deeplyFrozen(value) };
}

/** A copy that nobody can change: answers are shared between calls. */
export function deeplyFrozen(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(deeplyFrozen));
  // Defined, not assigned: a key may be `__proto__`.
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, item]) => [name, deeplyFrozen(item)])));
}

/** Whether a flag has nothing but on and off, and no rules. */
export function isPlain(definition: FlagDefinition): boolean {
  const { type, rules, variants, offVariant, bucketBy } = { ...plainValues, ...definition };
  return type === 'BOOLEAN' && bucketBy === null && offVariant === 'off' && isEmptyList(rules) && isEmptyList(variants);
}

const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;
