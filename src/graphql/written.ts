import type { Written } from '../backends/backend.js';
import { maxNoteLength } from '../core/inputs.js';
import { builder } from './builder.js';

/** What every payload of a mutation tells about the write. */
export type Receipt = Pick<Written<unknown>, 'revision' | 'batch'>;

/** A payload with what it tells about the write. */
export function receipt<Payload extends object>({ revision, batch }: Receipt, payload: Payload): Payload & Receipt {
  return { ...payload, revision, batch };
}

type Implemented<Payload> = ReturnType<ReturnType<typeof builder.objectRef<Payload>>['implement']>;

/** Adds `revision` and `batch` to the payloads of mutations. */
export function tellReceipt<Payload extends Receipt>(payload: Implemented<Payload>): void {
  builder.objectFields(payload, t => ({
    revision: t.int({
      description:
        'The revision of the change log right after the change. Every answer at this revision or a later one includes it.',
      resolve: ({ revision }) => revision,
    }),
    batch: t.field({
      type: 'UUID',
      nullable: true,
      description: 'The batch of the changes in the change log. Null: nothing was changed.',
      resolve: ({ batch }) => batch,
    }),
  }));
}

/** The description of `note` in the input of a mutation. */
export const noteDescription = `The reason for the change, for the change log; 1 to ${maxNoteLength} characters. It stays in the log when a user is deleted.`;
