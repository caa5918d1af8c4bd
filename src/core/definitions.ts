import type { z } from 'zod';
import { type Difference, differencesBetween } from './differences.js';
import type { Issue } from './errors.js';
import type { Flag } from './flag.js';
import { type FlagPatch, flagInput, inputs, type NewFlag, type ReadInput, readInput } from './inputs.js';
import { isPlainObject, type JsonObject } from './json.js';

// Definitions, the changes that make stored flags equal them, and what inputs of several flags have in common.

export const plannedActions = ['CREATE', 'UPDATE', 'DELETE'] as const;

export type PlannedAction = (typeof plannedActions)[number];

/** What the application of definitions does with one flag. */
export interface PlannedChange {
  readonly action: PlannedAction;
  readonly key: string;
  /** The fields that an UPDATE changes, one by one; empty for the other actions. */
  readonly differences: readonly Difference[];
}

export type Planned = PlannedChange &
  (
    | { readonly action: 'CREATE'; readonly definition: NewFlag }
    | {
        readonly action: 'UPDATE';
        /** The flag as it is stored. */
        readonly flag: Flag;
        readonly patch: FlagPatch;
        /** The path to the definition in the input. */
        readonly path: readonly string[];
      }
    | { readonly action: 'DELETE'; readonly flag: Flag }
  );

/**
 * What makes the stored flag of a definition equal it. Null: it does already.
 * @param flag null: there is none.
 * @param path to the definition in the input.
 */
export function planFor(flag: Flag | null, definition: NewFlag, path: readonly string[]): Planned | null {
  const { key } = definition;
  if (flag === null) return { action: 'CREATE', key, definition, differences: [] };
  const differences = differencesBetween(stateOf(flagInput(flag)), stateOf(definition));
  if (differences.length === 0) return null;
  const names = new Set(differences.map(({ path: [name] }) => name));
  const patch: FlagPatch = Object.fromEntries(Object.entries(definition).filter(([name]) => names.has(name)));
  return { action: 'UPDATE', key, flag, patch, path, differences };
}

/** The fault of a definition that has another type than the stored flag. */
export function typeIssues(flag: Flag, definition: NewFlag): Issue[] {
  if (flag.type === definition.type) return [];
  const message = `The flag "${flag.key}" has the type ${flag.type}, and the type of a flag never changes. Delete the flag first, or define one with another key.`;
  return [{ path: ['type'], message }];
}

/** The form that is stored: without what JSON does not keep, such as the sign of -0. */
function stateOf(flag: NewFlag): JsonObject {
  return JSON.parse(JSON.stringify(flag)) as JsonObject;
}

/** Reads an input of `updateFlag` in a list `flags`. */
export function readPatch(input: unknown): ReadInput<Omit<z.output<typeof inputs.updateFlag>, 'note'>> {
  return readOneOf('flags', inputs.updateFlag, input);
}

/** Reads a definition: an input of `createFlag` in which nothing is made up. */
export function readDefinition(input: unknown): ReadInput<NewFlag> {
  const issues = missingIds(input);
  const read = readOneOf('definitions', inputs.createFlag, input);
  return issues.length === 0 ? read : { issues: [...issues, ...(read.issues ?? [])] };
}

/** Fields of the input of one flag that stand beside the list where there are several flags. */
const sharedFields = ['note', 'confirm'];

function readOneOf<Fields extends { readonly note: string | null }>(
  list: string,
  schema: z.ZodType<Fields>,
  input: unknown,
): ReadInput<Omit<Fields, 'note'>> {
  const given = isPlainObject(input) ? input : {};
  const issues = sharedFields
    .filter(name => given[name] !== undefined && given[name] !== null)
    .map(name => ({ path: [name], message: `State it once for all flags, beside "${list}".` }));
  const own = Object.fromEntries(Object.entries(given).filter(([name]) => !sharedFields.includes(name)));
  const read = readInput(schema, isPlainObject(input) ? own : input);
  if (read.issues !== undefined || issues.length > 0) return { issues: [...issues, ...(read.issues ?? [])] };
  const { note, ...value } = read.value;
  return { value };
}

/** The rules of a definition that have no id. */
function missingIds(input: unknown): Issue[] {
  const rules: unknown = isPlainObject(input) ? input['rules'] : null;
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((rule: unknown, index) =>
    isPlainObject(rule) && (rule['id'] === undefined || rule['id'] === null)
      ? [
          {
            path: ['rules', String(index), 'id'],
            message: 'Expected an id, such as "staff", that stays the same when the rule is changed.',
          },
        ]
      : [],
  );
}
