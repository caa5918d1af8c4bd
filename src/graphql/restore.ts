import {
  type Conflict,
  ConflictsError,
  FlagNotFoundError,
  RevisionNotFoundError,
  ValidationError,
  VersionConflictError,
} from '../core/errors.js';
import type { Flag as FlagShape } from '../core/flag.js';
import { ConfirmationRequiredError } from '../features/confirmation.js';
import { builder, unchecked } from './builder.js';
import { confirmField } from './confirm.js';
import { authorOf } from './context.js';
import { ErrorInterface } from './error-types.js';
import { Flag, flagRow } from './flag.js';
import { noteDescription, type Receipt, receipt, tellReceipt } from './written.js';

builder.objectType(RevisionNotFoundError, {
  name: 'RevisionNotFoundError',
  description:
    'The change log does not know what was before, because it is not kept or all data was replaced (`REVISION_NOT_FOUND`). Nothing was changed.',
  interfaces: [ErrorInterface],
  fields: t => ({
    oldest: t.int({
      nullable: true,
      description: 'The oldest revision that one can go back to. Null if that is not the reason.',
      resolve: ({ oldest }) => oldest,
    }),
  }),
});

const ConflictType = builder.objectRef<Conflict>('Conflict').implement({
  description: 'Something that somebody else has changed.',
  fields: t => ({
    flagKey: t.exposeString('flagKey', {
      nullable: true,
      description: 'The key of the flag. Null if it is about none.',
    }),
    group: t.exposeString('group', { nullable: true, description: 'The name of the group. Null if it is about none.' }),
    userId: t.expose('userId', {
      type: 'UserID',
      nullable: true,
      description: 'The user of the override, the membership or the attributes. Null if it is about none.',
    }),
    revision: t.exposeInt('revision', {
      nullable: true,
      description: 'The revision of the last change of it. Null if it is not known.',
    }),
    message: t.exposeString('message', { description: 'The conflict, for people.' }),
  }),
});

builder.objectType(ConflictsError, {
  name: 'ConflictsError',
  description: 'Somebody else has changed what the change is about (`CONFLICTS`). Nothing was changed.',
  interfaces: [ErrorInterface],
  fields: t => ({
    conflicts: t.field({
      type: [ConflictType],
      description: 'The conflicts, at most 500. If there are more, the last one says how many.',
      resolve: ({ conflicts }) => conflicts,
    }),
    flags: t.field({
      type: [Flag],
      description: 'The flags of the conflicts as they are stored now.',
      resolve: ({ flags }) => flags.map(flagRow),
    }),
  }),
});

const RevertFlagInput = builder.inputType('RevertFlagInput', {
  description: 'The flag, and the revision to go back to.',
  fields: t => ({
    key: t.string({ required: true, description: 'The key of the flag, which may be deleted.' }),
    revision: t.int({
      required: true,
      description:
        'A revision of the change log, which need not be a change of this flag. The flag becomes what it was right after it.',
    }),
    expectedVersion: t.int({
      description:
        'Change the flag only if it is at this version now; otherwise return a `VersionConflictError`. Default: change any version.',
    }),
    confirm: confirmField(t),
    note: t.string({ description: noteDescription }),
  }),
});

const RevertFlagPayload = builder.objectRef<{ readonly flag: FlagShape } & Receipt>('RevertFlagPayload').implement({
  description: 'The flag is again what it was.',
  fields: t => ({
    flag: t.field({
      type: Flag,
      description: 'The flag as it is stored now.',
      resolve: ({ flag }) => flagRow(flag),
    }),
  }),
});

const UndoBatchInput = builder.inputType('UndoBatchInput', {
  description: 'The changes to take back.',
  fields: t => ({
    batch: t.field({ type: 'UUID', required: true, description: '`batch` of the changes in the change log.' }),
    confirm: confirmField(t),
    note: t.string({ description: noteDescription }),
  }),
});

const UndoBatchPayload = builder
  .objectRef<{ readonly flags: readonly FlagShape[] } & Receipt>('UndoBatchPayload')
  .implement({
    description: 'The changes are taken back, by new changes. `undoBatch` with their `batch` brings them again.',
    fields: t => ({
      flags: t.field({
        type: [Flag],
        description: 'The flags that the batch is about, also by their overrides, as they are stored now.',
        resolve: ({ flags }) => flags.map(flagRow),
      }),
    }),
  });

tellReceipt(RevertFlagPayload);
tellReceipt(UndoBatchPayload);

builder.mutationFields(t => ({
  revertFlag: t.field({
    type: RevertFlagPayload,
    description:
      'Admin. Brings a flag back to what it was at a revision, as a new change. Its overrides stay. A deleted flag comes back with the overrides that were deleted with it.',
    authScopes: { admin: true },
    errors: {
      types: [
        ValidationError,
        FlagNotFoundError,
        RevisionNotFoundError,
        VersionConflictError,
        ConfirmationRequiredError,
      ],
      union: { name: 'RevertFlagResult', description: 'The flag, or an error.' },
    },
    args: { input: t.arg({ type: RevertFlagInput, required: true, description: 'The flag and the revision.' }) },
    resolve: async (_root, { input: { confirm, ...input } }, { changes, caller }) => {
      const written = await changes(confirm).revertFlag(unchecked(input), authorOf(caller));
      return receipt(written, { flag: written.value });
    },
  }),
  undoBatch: t.field({
    type: UndoBatchPayload,
    description:
      'Admin. Takes back all changes of a batch: flags, overrides, members of groups, attributes. All or nothing: if something was changed again since, it returns a `ConflictsError`. What belonged to users who were deleted since stays erased.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, RevisionNotFoundError, ConflictsError, ConfirmationRequiredError],
      union: { name: 'UndoBatchResult', description: 'The result, or an error.' },
    },
    args: { input: t.arg({ type: UndoBatchInput, required: true, description: 'The batch to undo.' }) },
    resolve: async (_root, { input: { confirm, ...input } }, { changes, caller }) => {
      const written = await changes(confirm).undoBatch(unchecked(input), authorOf(caller));
      return receipt(written, { flags: written.value });
    },
  }),
}));
