import {
  type FlagRule as FlagRuleShape,
  type Share as ShareShape,
  type Variant as VariantShape,
  valueTypes,
} from '../core/flag.js';
import { isPlainObject } from '../core/json.js';
import { booleanVariants, isWeight, readableVariants, valueLimits } from '../core/variants.js';
import type { FeatureFlag } from '../generated/prisma/client.js';
import { builder } from './builder.js';

const typeDescriptions = {
  BOOLEAN: 'True or false. The flag has exactly the variants `on` and `off`.',
  STRING: 'A text.',
  NUMBER: 'A number.',
  OBJECT: 'A JSON object or list.',
} as const;

export const ValueType = builder.enumType('ValueType', {
  description: "The type of a flag's values. It never changes.",
  values: Object.fromEntries(valueTypes.map(type => [type, { description: typeDescriptions[type] }])) as {
    [Type in (typeof valueTypes)[number]]: { description: string };
  },
});

const weightDescription = `A whole number from 0 to ${valueLimits.weight.toLocaleString('en')}. Only the ratios of weights count.`;

export const Variant = builder.objectRef<VariantShape>('Variant').implement({
  description: 'One of the values that a flag can have.',
  fields: t => ({
    key: t.exposeString('key', { description: 'The key of the variant, unique in the flag.' }),
    value: t.field({ type: 'JSON', description: "A value of the flag's type.", resolve: ({ value }) => value }),
    weight: t.exposeInt('weight', {
      description:
        'The share of this variant among the users for whom the flag is on, in relation to the other weights. 0: only rules and overrides give it.',
    }),
  }),
});

const Share = builder.objectRef<ShareShape>('Share').implement({
  description: 'The share of a variant among the users for whom a rule decided.',
  fields: t => ({
    variant: t.exposeString('variant', { description: 'The key of the variant.' }),
    weight: t.exposeInt('weight', { description: 'The share, in relation to the other weights.' }),
  }),
});

export const FlagRule = builder.objectRef<FlagRuleShape>('FlagRule').implement({
  description: 'A rule of a flag. Rules are asked in order; the first one that matches decides.',
  fields: t => ({
    id: t.exposeString('id', { description: 'The id of the rule, unique in the flag. The percentage hashes it.' }),
    when: t.field({
      type: 'Conditions',
      description: 'The conditions that a user must match; `{}` matches everybody.',
      resolve: ({ when }) => when,
    }),
    percentage: t.exposeFloat('percentage', {
      description: 'The percentage of the matching users for whom the rule decides, from 0 to 100.',
    }),
    on: t.exposeBoolean('on', { description: 'Whether the rule turns the flag on or off.' }),
    serve: t.field({
      type: [Share],
      description: "The variants that the rule gives. Empty: the flag's weights choose.",
      resolve: ({ serve }) => serve,
    }),
  }),
});

export const VariantInput = builder.inputType('VariantInput', {
  description: 'One of the values that a flag can have.',
  fields: t => ({
    key: t.string({
      required: true,
      description:
        'The key of the variant, unique in the flag: 1 to 100 letters, digits, `.`, `_`, `:` or `-`, beginning with a letter or a digit.',
    }),
    value: t.field({
      type: 'JSON',
      required: true,
      description: `A value of the flag's type, at most ${valueLimits.valueBytes.toLocaleString('en')} bytes of JSON.`,
    }),
    weight: t.int({
      required: true,
      description: `The share of this variant among the users for whom the flag is on. ${weightDescription} 0: only rules and overrides give it.`,
    }),
  }),
});

const ShareInput = builder.inputType('ShareInput', {
  description: 'The share of a variant among the users for whom a rule decided.',
  fields: t => ({
    variant: t.string({ required: true, description: 'The key of the variant.' }),
    weight: t.int({ required: true, description: weightDescription }),
  }),
});

export const FlagRuleInput = builder.inputType('FlagRuleInput', {
  description: 'A rule of a flag. Rules are asked in order; the first one that matches decides.',
  fields: t => ({
    id: t.string({
      description:
        'The id of the rule: 1 to 50 letters, digits, `.`, `_` or `-`, beginning with a letter or a digit. It is hashed, so keep it when you change the rule. Default: a new one.',
    }),
    when: t.field({
      type: 'Conditions',
      required: true,
      description: 'The conditions that a user must match; `{}` matches everybody.',
    }),
    percentage: t.float({
      description:
        'The percentage of the matching users for whom the rule decides, from 0 to 100 with at most two decimals. Default: 100.',
    }),
    on: t.boolean({ description: 'Whether the rule turns the flag on or off. Default: true.' }),
    serve: t.field({
      type: [ShareInput],
      description:
        "The variants that the rule gives, for flags that are not BOOLEAN. Default: the flag's weights choose.",
    }),
  }),
});

// Another program may have stored entries that are not valid. They have no effect, and are left out here.

/** The variants of a stored flag. */
export function variantsOf({ type, variants }: Pick<FeatureFlag, 'type' | 'variants'>): readonly VariantShape[] {
  if (type === 'BOOLEAN') return booleanVariants;
  return readableVariants(variants);
}

/** The rules of a stored flag. */
export function rulesOf({ rules }: Pick<FeatureFlag, 'rules'>): readonly FlagRuleShape[] {
  return Array.isArray(rules) ? (rules as unknown[]).filter(isRule) : [];
}

function isRule(value: unknown): value is FlagRuleShape {
  if (!isPlainObject(value)) return false;
  const { id, when, percentage, on, serve } = value as { [Key in keyof FlagRuleShape]?: unknown };
  const isShape = typeof id === 'string' && isPlainObject(when) && Number.isFinite(percentage);
  return isShape && typeof on === 'boolean' && Array.isArray(serve) && serve.every(isShare);
}

function isShare(value: unknown): value is ShareShape {
  return isPlainObject(value) && typeof value['variant'] === 'string' && isWeight(value['weight']);
}
