import type { builder } from './builder.js';

type InputFields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** The field `confirm` of the inputs of changes that may need a confirmation. */
export const confirmField = (t: InputFields) =>
  t.string({
    description:
      'The confirmation of this change: `confirm` of its preview. A protected server asks for it (`ConfirmationRequiredError`); where it is given, it must fit.',
  });
