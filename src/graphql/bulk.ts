import {
  type PlannedAction as PlannedActionName,
  type PlannedChange as PlannedChangeShape,
  plannedActions,
} from '../core/definitions.js';
import { ConflictsError, FlagNotFoundError, ValidationError } from '../core/errors.js';
import type { Flag as FlagShape } from '../core/flag.js';
import { maxDefinitions, maxUpdatedFlags } from '../core/inputs.js';
import type { ApplicationOfDefinitions } from '../features/bulk.js';
import { ConfirmationRequiredError } from '../features/confirmation.js';
import { builder, unchecked } from './builder.js';
import { Difference } from './change.js';
import { confirmField } from './confirm.js';
import { defaultPageSize } from './connections.js';
import { authorOf } from './context.js';
import { CreateFlagInput, Flag, flagRow, UpdateFlagInput } from './flag.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

/** The cost of changes of several flags. Lists in the results count as lists of the default length; here the real length is known. */
const costOf = (flags: number) => ({ field: 1 + flags, multiplier: Math.max(1, flags / defaultPageSize) });

const mostUpdated = maxUpdatedFlags.toLocaleString('en');

const UpdateFlagsInput = builder.inputType('UpdateFlagsInput', {
  description: 'The flags to change.',
  fields: t => ({
    flags: t.field({
      type: [UpdateFlagInput],
      required: true,
      description: `The flags, at most ${mostUpdated}, each with the changes to make. They have no \`note\` and no \`confirm\` of their own.`,
    }),
    note: t.string({ description: noteDescription }),
    confirm: confirmField(t),
  }),
});

const UpdateFlagsPayload = builder
  .objectRef<{ readonly flags: readonly FlagShape[] } & Receipt>('UpdateFlagsPayload')
  .implement({
    description: 'All flags were changed, or had these values already.',
    fields: t => ({
      flags: t.field({
        type: [Flag],
        description: 'The flags as they are now, in the order of the input.',
        resolve: ({ flags }) => flags.map(flagRow),
      }),
    }),
  });

const mostDefinitions = maxDefinitions.toLocaleString('en');

const ApplyDefinitionsInput = builder.inputType('ApplyDefinitionsInput', {
  description: 'The definitions to apply.',
  fields: t => ({
    definitions: t.field({
      type: [CreateFlagInput],
      required: true,
      description: `The whole definitions of flags, at most ${mostDefinitions}. A field that is omitted has the default of \`createFlag\`, also in a flag that exists. Each rule needs an \`id\`. They have no \`note\` and no \`confirm\` of their own.`,
    }),
    prune: t.boolean({
      description: 'Whether flags without a definition are deleted, with their overrides. Default: they stay.',
    }),
    dryRun: t.boolean({
      description:
        'Whether only the plan is made and checked, and nothing is changed. Default: the plan is carried out.',
    }),
    expectedRevision: t.int({
      description:
        'Apply the definitions only if no flag that they are about was changed after this revision; with `prune` no flag at all. Otherwise return a `ConflictsError`. The `revision` of a dry run is one. Default: apply them in any case.',
    }),
    note: t.string({ description: noteDescription }),
    confirm: confirmField(t),
  }),
});

const actionDescriptions: { readonly [action in PlannedActionName]: string } = {
  CREATE: 'There is no such flag: it is created.',
  UPDATE: 'The flag differs from its definition: it is changed.',
  DELETE: 'The flag has no definition: it is deleted with its overrides.',
};

const PlannedAction = builder.enumType('PlannedAction', {
  description: 'The change that the application of definitions makes to a flag.',
  values: Object.fromEntries(plannedActions.map(name => [name, { description: actionDescriptions[name] }])) as {
    [Name in PlannedActionName]: { description: string };
  },
});

const PlannedChange = builder.objectRef<PlannedChangeShape>('PlannedChange').implement({
  description: 'A flag that the application of definitions changes.',
  fields: t => ({
    key: t.exposeString('key', { description: 'The key of the flag.' }),
    action: t.expose('action', { type: PlannedAction, description: 'The change of the flag.' }),
    differences: t.field({
      type: [Difference],
      // Most changes are about few fields.
      complexity: { multiplier: 2 },
      description: 'The differences between the flag and its definition. Empty for CREATE and DELETE.',
      resolve: ({ differences }) => differences,
    }),
  }),
});

const ApplyDefinitionsPayload = builder
  .objectRef<ApplicationOfDefinitions & Receipt>('ApplyDefinitionsPayload')
  .implement({
    description:
      'The definitions were applied, or would be after a dry run. The `batch` of a dry run is null, and its `revision` is that of the plan.',
    fields: t => ({
      plan: t.field({
        type: [PlannedChange],
        description: 'The flags that were changed, or would be after a dry run, sorted by key.',
        resolve: ({ plan }) => plan,
      }),
      unchanged: t.exposeInt('unchanged', {
        description: 'The number of definitions that the flags equaled already.',
      }),
    }),
  });

tellReceipt(UpdateFlagsPayload);
tellReceipt(ApplyDefinitionsPayload);

builder.mutationFields(t => ({
  updateFlags: t.field({
    type: UpdateFlagsPayload,
    description: 'Admin. Changes several flags: all of them, or none if there is an error. The changes are one batch.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagNotFoundError, ConflictsError, ConfirmationRequiredError],
      union: { name: 'UpdateFlagsResult', description: 'The changed flags, or an error.' },
    },
    args: {
      input: t.arg({ type: UpdateFlagsInput, required: true, description: 'The flags, and the changes to make.' }),
    },
    complexity: ({ input }) => costOf(input.flags.length),
    resolve: async (_root, { input: { confirm, ...input } }, { changes, caller }) => {
      const written = await changes(confirm).updateFlags(unchecked(input), authorOf(caller));
      return receipt(written, { flags: written.value });
    },
  }),
  applyDefinitions: t.field({
    type: ApplyDefinitionsPayload,
    description:
      'Admin. Makes the flags equal definitions: creates those that do not exist, changes those that differ, and with `prune` deletes those without a definition. All of it is done as one batch, or nothing if there is an error. The same definitions again change nothing.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, ConflictsError, ConfirmationRequiredError],
      union: { name: 'ApplyDefinitionsResult', description: 'The plan, or an error.' },
    },
    args: {
      input: t.arg({ type: ApplyDefinitionsInput, required: true, description: 'The definitions to apply.' }),
    },
    complexity: ({ input: { definitions, prune } }, { service }) =>
      costOf(definitions.length + (prune === true ? service.flagCount : 0)),
    resolve: async (_root, { input: { confirm, ...input } }, { changes, caller }) => {
      const written = await changes(confirm).applyDefinitions(unchecked(input), authorOf(caller));
      return receipt(written, written.value);
    },
  }),
}));
