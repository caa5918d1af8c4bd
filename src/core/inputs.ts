// Over 300 lines: the inputs of all management calls share their fields and their forms.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { apiKeyRoles } from './api-key.js';
import { attributeIssues } from './attributes.js';
import { validateConditions } from './conditions.js';
import { type Issue, ValidationError } from './errors.js';
import {
  type FlagDefinition,
  type FlagRule,
  isFlagKey,
  maxOwnerLength,
  maxTagLength,
  maxTags,
  type Variant,
  valueTypes,
} from './flag.js';
import { canonicalJson, isPlainObject, type JsonObject } from './json.js';
import { readRules, ruleDefaults } from './rules.js';
import { SearchBudget } from './search-budget.js';
import { compareNames, isName, isStorable, maxNameLength, unstorableText } from './text.js';
import { canonicalUserId, userIdFault } from './user-id.js';
import { bucketByIssues, definitionIssues } from './values.js';
import { variantIssues, variantKeyIssues } from './variants.js';

/** Users that one change of a group may name. */
export const maxGroupUsers = 20_000;
/** Flags that one `updateFlags` may change. */
export const maxUpdatedFlags = 500;
/** Definitions that one `applyDefinitions` may have. */
export const maxDefinitions = 2_000;

const text = (min: number, max: number) =>
  z
    .string('Expected text.')
    .min(min, min === 0 ? undefined : `Expected ${min} to ${max} characters.`)
    .max(max, min === 0 ? `Expected at most ${max} characters.` : `Expected ${min} to ${max} characters.`)
    .refine(isStorable, unstorableText);

const flagKey = z
  .string('Expected text.')
  .refine(isFlagKey, 'Expected 1 to 100 letters, digits, ".", "_", ":" or "-", beginning with a letter or a digit.');

export const userId = z
  .custom<string>()
  .superRefine((id, context) => {
    const fault = userIdFault(id);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault, input: id });
  })
  .transform(canonicalUserId);

/** A value whose faults another function lists, each with its own path below this one. */
const checked = <T>(issuesOf: (value: unknown) => Issue[]) =>
  z.custom<T>().superRefine((value, context) => {
    for (const { path, message } of issuesOf(value)) {
      context.addIssue({ code: 'custom', path: path.slice(1), message, input: value });
    }
  });

// Generated clients send null for what they leave out.

/** A field that has this value where it is absent or null. */
const orElse = <Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) =>
  schema.nullish().transform(given => given ?? value);

/** A field that may be absent. Null counts as absent. */
const unlessNull = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform(given => given ?? undefined);

const eachUnlessNull = <Fields extends Record<string, z.ZodType>>(fields: Fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, unlessNull(schema)])) as {
    [Name in keyof Fields]: ReturnType<typeof unlessNull<Fields[Name]>>;
  };

const conditions = checked<JsonObject>(validateConditions);

const enabled = z.boolean('Expected true or false.');

/** A text that lists are filtered by. A blank that nobody sees would tell two of them apart. */
const label = (max: number) =>
  text(1, max).refine(given => given.trim() === given, 'Expected no blanks at the beginning and at the end.');

/** A set: the same tags in another order are no change. */
const tags = z
  .custom<readonly string[]>()
  .pipe(
    z
      .array(label(maxTagLength), 'Expected a list of texts.')
      .max(maxTags, `Expected at most ${maxTags} tags.`)
      .superRefine((given, context) => {
        const repeated = given.findIndex((tag, index) => given.indexOf(tag) < index);
        if (repeated === -1) return;
        context.addIssue({ code: 'custom', path: [repeated], message: 'Expected each tag once.', input: given });
      }),
  )
  .transform((given): readonly string[] => [...given].sort(compareNames));

/** The years that PostgreSQL and JavaScript write in the same way. */
const time = z
  .date('Expected a valid Date, such as new Date("2026-06-01T00:00:00Z").')
  .min(new Date('0001-01-01T00:00:00.000Z'), 'Expected a date in the year 1 or later.')
  .max(new Date('9999-12-31T23:59:59.999Z'), 'Expected a date before the year 10000.');

const variantKey = checked<string>(value => variantKeyIssues(value, ['variant']));

/**
 * Rules with their defaults filled in. Null counts as absent. A rule without an id gets one that follows from the rule, so that the
 * same input means the same rules each time: in a preview, in the change that it was made for, and in a second attempt.
 */
function completeRules(rules: unknown): unknown {
  if (!Array.isArray(rules)) return rules;
  const ids = new Set(rules.map((rule: unknown) => (isPlainObject(rule) ? rule['id'] : null)));
  return Array.from(rules, (rule: unknown) => {
    if (!isPlainObject(rule)) return rule;
    const given = Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null && value !== undefined));
    const complete = { ...ruleDefaults, ...given };
    return 'id' in complete ? complete : { id: madeRuleId(complete, ids), ...complete };
  });
}

/** Adds the id to those that are taken. */
function madeRuleId(rule: object, taken: Set<unknown>): string {
  const text = ruleText(rule);
  for (let attempt = 0; ; attempt += 1) {
    const id = createHash('sha256').update(`${attempt} ${text}`).digest('hex').slice(0, 8);
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
}

/** The checks that follow refuse a rule that is no JSON. */
function ruleText(rule: object): string {
  try {
    return canonicalJson(rule);
  } catch {
    return '';
  }
}

/** What callers set in a flag, beside its key. The types and the backends follow this list. */
const flagFields = {
  name: text(1, 200),
  description: text(0, 10_000).nullable(),
  enabled,
  percentage: z
    .number('Expected a number.')
    .int('Expected a whole number.')
    .min(0, 'Expected 0 to 100.')
    .max(100, 'Expected 0 to 100.'),
  conditions,
  variants: checked<readonly Variant[]>(variantIssues),
  offVariant: checked<string>(value => variantKeyIssues(value, ['offVariant'])),
  rules: z
    .custom<readonly (Pick<FlagRule, 'when'> & Partial<FlagRule>)[]>()
    .transform(completeRules)
    .pipe(checked<readonly FlagRule[]>(value => [...readRules(value, new SearchBudget()).issues])),
  bucketBy: checked<string | null>(bucketByIssues),
  tags,
  owner: label(maxOwnerLength).nullable(),
  expectedUntil: time.nullable(),
};

const expectedVersion = z
  .number('Expected a number.')
  .int('Expected a whole number.')
  .min(1, 'Expected 1 or more.')
  .nullish();

const group = z
  .string('Expected text.')
  .refine(isName, `Expected 1 to ${maxNameLength} characters that can be stored.`);

/** A list whose items the caller of {@link parseInput} checks, in slices. */
const listOf = (most: number, items: string) =>
  z
    .custom<readonly unknown[]>(Array.isArray, { error: 'Expected a list.', abort: true })
    .refine(list => list.length <= most, `Expected at most ${most} ${items}.`);

/** Checked in one loop: a schema for each of twenty thousand ids would hold the event loop for longer than all the rest. */
const userIds = z
  .custom<readonly string[]>(Array.isArray, { error: 'Expected a list.', abort: true })
  .superRefine((ids, context) => {
    if (ids.length > maxGroupUsers) {
      context.addIssue({ code: 'custom', message: `Expected at most ${maxGroupUsers} users.`, input: ids });
      return;
    }
    for (let index = 0; index < ids.length; index += 1) {
      const id: unknown = ids[index];
      const fault = userIdFault(id);
      if (fault !== null) context.addIssue({ code: 'custom', path: [index], message: fault, input: id });
    }
  })
  .transform(ids => ids.map(canonicalUserId));

/** Adds the faults between the fields of a flag, if each field has the right form. */
const consistent = (flag: FlagDefinition, context: z.RefinementCtx) => {
  if (context.issues.length > 0) return;
  for (const { path, message } of definitionIssues(flag)) {
    context.addIssue({ code: 'custom', path: [...path], message, input: flag });
  }
};

/** The longest note, in UTF-16 code units. */
export const maxNoteLength = 500;

/** Why the change is made. It is no part of what is stored: the change log has it. */
const note = {
  note: text(1, maxNoteLength)
    .refine(given => given.trim() !== '', `Expected 1 to ${maxNoteLength} characters that are not all blank.`)
    .nullable()
    .default(null),
};

/** The inputs of the management calls: what they may hold, and what is assumed where they are silent. */
export const inputs = {
  createFlag: z
    .strictObject({
      ...note,
      key: flagKey,
      ...flagFields,
      description: flagFields.description.default(null),
      enabled: orElse(flagFields.enabled, false),
      percentage: orElse(flagFields.percentage, 100),
      conditions: orElse(flagFields.conditions, {}),
      type: orElse(z.enum(valueTypes, `Expected one of ${valueTypes.join(', ')}.`), 'BOOLEAN'),
      variants: orElse(flagFields.variants, []),
      offVariant: orElse(flagFields.offVariant, 'off'),
      rules: orElse(flagFields.rules, []),
      bucketBy: flagFields.bucketBy.default(null),
      tags: orElse(flagFields.tags, []),
      owner: flagFields.owner.default(null),
      expectedUntil: flagFields.expectedUntil.default(null),
    })
    .superRefine(consistent),
  updateFlag: z.strictObject({
    ...note,
    key: flagKey,
    ...eachUnlessNull(flagFields),
    // Null removes these.
    description: flagFields.description.optional(),
    bucketBy: flagFields.bucketBy.optional(),
    owner: flagFields.owner.optional(),
    expectedUntil: flagFields.expectedUntil.optional(),
    expectedVersion,
  }),
  deleteFlag: z.strictObject({ ...note, key: flagKey }),
  updateFlags: z.strictObject({ ...note, flags: listOf(maxUpdatedFlags, 'flags') }),
  applyDefinitions: z.strictObject({
    ...note,
    definitions: listOf(maxDefinitions, 'definitions'),
    prune: orElse(z.boolean('Expected true or false.'), false),
    dryRun: orElse(z.boolean('Expected true or false.'), false),
    expectedRevision: z
      .number('Expected a number.')
      .int('Expected a whole number.')
      .min(0, 'Expected 0 or more.')
      .nullish(),
  }),
  setOverride: z.strictObject({
    ...note,
    userId,
    flagKey,
    enabled,
    variant: variantKey.nullable().default(null),
    reason: text(0, 500).nullable().default(null),
    expiresAt: time.nullable().default(null),
  }),
  removeOverride: z.strictObject({ ...note, userId, flagKey }),
  group: z.strictObject({
    ...note,
    group,
    userIds,
  }),
  setUserAttributes: z.strictObject({
    ...note,
    userId,
    attributes: checked<JsonObject>(value => attributeIssues(value)),
  }),
  deleteUser: z.strictObject({ ...note, userId }),
  revertFlag: z.strictObject({
    ...note,
    key: flagKey,
    revision: z.number('Expected a number.').int('Expected a whole number.').min(1, 'Expected 1 or more.'),
    expectedVersion: expectedVersion.default(null),
  }),
  createApiKey: z.strictObject({
    ...note,
    name: text(1, maxNameLength).refine(
      given => given.trim() === given,
      'Expected no blanks at the beginning and at the end.',
    ),
    role: z.enum(apiKeyRoles, `Expected one of ${apiKeyRoles.join(', ')}.`),
    expiresAt: time.nullable().default(null),
  }),
  revokeApiKey: z.strictObject({
    ...note,
    id: z.uuid('Expected the id of an API key, which is a UUID.').toLowerCase(),
  }),
  undoBatch: z.strictObject({
    ...note,
    batch: z.uuid('Expected the batch of a change, which is a UUID.').toLowerCase(),
  }),
} as const;

const flagFieldNames = Object.keys(inputs.createFlag.shape).filter(name => name !== 'note') as (keyof NewFlag)[];

export type CreateFlagInput = z.input<typeof inputs.createFlag>;
export type UpdateFlagInput = z.input<typeof inputs.updateFlag>;
/** The note of a change of several flags stands beside them. */
export type UpdateFlagsInput = Omit<z.input<typeof inputs.updateFlags>, 'flags'> & {
  readonly flags: readonly Omit<UpdateFlagInput, 'note'>[];
};
export type ApplyDefinitionsInput = Omit<z.input<typeof inputs.applyDefinitions>, 'definitions'> & {
  readonly definitions: readonly Omit<CreateFlagInput, 'note'>[];
};
export type DeleteFlagInput = z.input<typeof inputs.deleteFlag>;
export type SetOverrideInput = z.input<typeof inputs.setOverride>;
export type RemoveOverrideInput = z.input<typeof inputs.removeOverride>;
export type GroupInput = z.input<typeof inputs.group>;
export type SetUserAttributesInput = z.input<typeof inputs.setUserAttributes>;
export type RevertFlagInput = z.input<typeof inputs.revertFlag>;
export type UndoBatchInput = z.input<typeof inputs.undoBatch>;
export type CreateApiKeyInput = z.input<typeof inputs.createApiKey>;
export type RevokeApiKeyInput = z.input<typeof inputs.revokeApiKey>;
export type DeleteUserInput = z.input<typeof inputs.deleteUser>;

/** A flag to create: the input with its defaults filled in. */
export type NewFlag = Readonly<Omit<z.output<typeof inputs.createFlag>, 'note'>>;

/** The fields that people set in a flag. */
export function flagInput(flag: NewFlag): NewFlag {
  return Object.fromEntries(flagFieldNames.map(name => [name, flag[name]])) as unknown as NewFlag;
}

/** The fields of a flag to change; what is absent stays. */
export type FlagPatch = Partial<Omit<NewFlag, 'key' | 'type'>>;

/** What an input holds, or every fault of it. */
export type ReadInput<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

export function readInput<Schema extends z.ZodType>(schema: Schema, input: unknown): ReadInput<z.output<Schema>> {
  const result = schema.safeParse(input);
  return result.success ? { value: result.data } : { issues: issuesOf(result.error) };
}

/** @throws ValidationError with the faults of the input. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const read = readInput(schema, input);
  if (read.issues === undefined) return read.value;
  throw new ValidationError(read.issues as [Issue, ...Issue[]]);
}

/**
 * The flag that this input creates.
 * @throws ValidationError
 */
export function newFlagOf(input: CreateFlagInput): NewFlag {
  const { note: _note, ...flag } = parseInput(inputs.createFlag, input);
  return flag;
}

/** Every fault of an input, none when there are none. */
export function inputIssues(schema: z.ZodType, input: unknown): readonly Issue[] {
  return readInput(schema, input).issues ?? [];
}

function issuesOf(error: z.ZodError): Issue[] {
  return error.issues.flatMap((issue): Issue[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(key => ({ path: [...issue.path.map(String), key], message: 'There is no such field.' }))
      : [{ path: issue.path.map(String), message: issue.message }],
  );
}
