import { FlagNotFoundError, ValidationError } from '../core/errors.js';
import type { SetOverrideInput as NewOverride } from '../core/inputs.js';
import type { Override as OverrideRow } from '../generated/prisma/client.js';
import { builder } from './builder.js';
import { unchecked } from './input.js';

const Override = builder.prismaObject('Override', {
  name: 'Override',
  description: 'A decision about one flag for one user that beats everything that the flag says.',
  fields: t => ({
    user: t.relation('user', { description: 'For whom.' }),
    flag: t.relation('flag', { description: 'Which flag.' }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether the feature is on for this user.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why, for people.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'From when on it no longer counts; null: never.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was set.' }),
    createdBy: t.relation('createdBy', { nullable: true, description: 'Who set it, as far as known.' }),
  }),
});

const SetOverrideInput = builder.inputType('SetOverrideInput', {
  description: 'An override to set, in place of the one that stands.',
  fields: t => ({
    userId: t.field({ type: 'UUID', required: true, description: 'For whom. Who is not known yet is created.' }),
    flagKey: t.string({ required: true, description: 'Which flag.' }),
    enabled: t.boolean({ required: true, description: 'Whether the feature is to be on for this user.' }),
    reason: t.string({ description: 'Why, for people; up to 500 characters.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'From when on it no longer counts, in the future; not stated: never.',
    }),
  }),
});

const SetOverridePayload = builder.objectRef<{ override: OverrideRow }>('SetOverridePayload').implement({
  description: 'The override stands.',
  fields: t => ({
    override: t.field({ type: Override, description: 'The override.', resolve: ({ override }) => override }),
  }),
});

const RemoveOverrideInput = builder.inputType('RemoveOverrideInput', {
  description: 'An override to remove.',
  fields: t => ({
    userId: t.field({ type: 'UUID', required: true, description: 'For whom.' }),
    flagKey: t.string({ required: true, description: 'Which flag.' }),
  }),
});

const RemoveOverridePayload = builder.objectRef<{ removed: boolean }>('RemoveOverridePayload').implement({
  description: 'The user has no override of this flag any more.',
  fields: t => ({ removed: t.exposeBoolean('removed', { description: 'Whether there was one.' }) }),
});

builder.mutationFields(t => ({
  setOverride: t.field({
    type: SetOverridePayload,
    description: 'Admin. Decides one flag for one user, whatever the flag says.',
    authScopes: { admin: true },
    errors: {
      types: [ValidationError, FlagNotFoundError],
      union: { name: 'SetOverrideResult', description: 'The override, or why not.' },
    },
    args: { input: t.arg({ type: SetOverrideInput, required: true, description: 'The override.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      override: await service.management.setOverride(unchecked<NewOverride>(input), caller.userId),
    }),
  }),
  removeOverride: t.field({
    type: RemoveOverridePayload,
    description: 'Admin. Removes an override. That there is none is no error.',
    authScopes: { admin: true },
    errors: { types: [ValidationError], union: { name: 'RemoveOverrideResult', description: 'Done, or why not.' } },
    args: { input: t.arg({ type: RemoveOverrideInput, required: true, description: 'Which override.' }) },
    resolve: async (_root, { input }, { service, caller }) => ({
      removed: await service.management.removeOverride(input, caller.userId),
    }),
  }),
}));
