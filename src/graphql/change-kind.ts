import { type ChangeKind, changeKinds } from '../backends/backend.js';
import { builder } from './builder.js';

const descriptions: Record<ChangeKind, string> = {
  FLAG_CREATED: 'A flag was created.',
  FLAG_UPDATED: 'A flag was changed.',
  FLAG_DELETED: 'A flag was deleted.',
  OVERRIDE_SET: "A user's override was created or changed.",
  OVERRIDE_REMOVED: "A user's override was removed.",
  MEMBERS_ADDED: 'Users were added to a group.',
  MEMBERS_REMOVED: 'Users were removed from a group.',
  USER_UPDATED: "A user's attributes were changed.",
  USER_DELETED: 'A user was deleted, with all memberships and overrides.',
  API_KEY_CREATED: 'An API key was made.',
  API_KEY_REVOKED: 'An API key was revoked, or deleted by another program.',
  RESET: 'A table was emptied by TRUNCATE. The rows that it held are not listed.',
};

export const ChangeKindEnum = builder.enumType('ChangeKind', {
  description: 'The kind of a change.',
  values: Object.fromEntries(changeKinds.map(kind => [kind, { description: descriptions[kind] }])) as Record<
    ChangeKind,
    { description: string }
  >,
});
