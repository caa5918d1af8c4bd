import { readFileSync } from 'node:fs';
import type { CreateFlagInput, FlagDefinition, Json } from '../../../src/index.js';

interface SpecifiedFlag {
  readonly variants: Readonly<Record<string, Json>>;
  readonly defaultVariant?: string | null;
  readonly disabled?: boolean;
}

const specified: Readonly<Record<string, SpecifiedFlag>> = JSON.parse(
  readFileSync(new URL('test-flags.json', import.meta.url), 'utf8'),
);

const ballmer: FlagDefinition['conditions'] = { attributes: { email: 'ballmer@macrosoft.com' } };

/** What the expressions of the flags mean in conditions, and the variant of those who match. */
const targeted: Readonly<
  Record<string, { readonly conditions: FlagDefinition['conditions']; readonly match: string }>
> = {
  'complex-targeted': {
    conditions: {
      attributes: { customer: { neq: true }, email: 'ballmer@macrosoft.com', age: { gt: 10 } },
    },
    match: 'internal',
  },
  'context-aware': {
    conditions: { attributes: { fn: 'Sulisław', ln: 'Świętopełk', age: 29, customer: false } },
    match: 'internal',
  },
};

const contextAware: SpecifiedFlag = {
  variants: { internal: 'INTERNAL', external: 'EXTERNAL' },
  defaultVariant: 'external',
};

/**
 * The flags of the specification as flags of Halyard. The default variant has all the weight, and is the off variant. A flag without a default
 * variant has no counterpart.
 */
export const flags: readonly CreateFlagInput[] = Object.entries({
  ...specified,
  'context-aware': contextAware,
}).flatMap(([key, flag]): CreateFlagInput[] => (flag.defaultVariant == null ? [] : [flagOf(key, flag)]));

function flagOf(key: string, { variants, defaultVariant, disabled = false }: SpecifiedFlag): CreateFlagInput {
  const base = { key, name: key, enabled: !disabled };
  const value = variants[defaultVariant as string];
  const isTargeted = key.includes('targeted-zero');
  if (typeof value === 'boolean') {
    // On and off are the variants of a boolean flag, so those who match are turned off by a rule.
    if (isTargeted) {
      return {
        ...base,
        conditions: ballmer,
        rules: [{ id: 'zero', when: ballmer, percentage: 100, on: false, serve: [] }],
      };
    }
    return { ...base, enabled: !disabled && value };
  }
  const rule = targeted[key] ?? { conditions: isTargeted ? ballmer : {}, match: defaultVariant };
  return {
    ...base,
    type: typeof value === 'string' ? 'STRING' : typeof value === 'number' ? 'NUMBER' : 'OBJECT',
    conditions: rule.conditions,
    variants: Object.entries(variants).map(([name, each]) => ({
      key: name,
      value: each,
      weight: name === rule.match ? 1 : 0,
    })),
    offVariant: defaultVariant as string,
  };
}
