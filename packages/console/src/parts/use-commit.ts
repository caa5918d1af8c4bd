import { useState } from 'react';
import { type AnyVariables, type TypedDocumentNode, useClient } from 'urql';
import type { PreviewFieldsFragment } from '../data/generated/graphql.js';
import type { SavedFlag } from '../draft/fields.js';
import type { Issue } from '../draft/validate.js';
import { type ConflictShape, conflictsText, errorText, missingText, noAnswer } from '../words/errors.js';
import { RevertFlag, UndoBatch, UpdateFlag } from './flag-mutations.js';

/** A change that the server has made. */
export interface Done {
  /** What was done, such as `Saved 2 changes.` */
  readonly label: string;
  readonly revision: number;
  /** Null: nothing was to be done. */
  readonly batch: string | null;
}

/** A change that waits for somebody to confirm it. */
export interface Waiting {
  readonly label: string;
  readonly preview: PreviewFieldsFragment;
  readonly send: (confirm: string) => Promise<void>;
}

/** What mutations answer. Each has some of these fields. */
export interface Result {
  readonly __typename: string;
  readonly message?: string;
  readonly path?: readonly string[] | null;
  readonly issues?: readonly Issue[];
  readonly conflicts?: readonly ConflictShape[];
  readonly flag?: unknown;
  readonly flags?: readonly unknown[];
  readonly revision?: number;
  readonly batch?: string | null;
  readonly preview?: PreviewFieldsFragment;
}

type Mutation = TypedDocumentNode<{ result: Result }, AnyVariables>;

export interface CommitOptions {
  /** @param isOwn whether this change made it; false: it is what somebody else has saved. */
  readonly onFlag?: (flag: SavedFlag, isOwn: boolean) => void;
  readonly onDone?: (done: Done) => void;
  /** One of several flags that were to be changed does not exist any more. */
  readonly onMissing?: (key: string) => void;
}

export interface Commit {
  readonly isBusy: boolean;
  readonly waiting: Waiting | null;
  /** The last change that the server made, until its receipt is dismissed. */
  readonly done: Done | null;
  /** Why the last change was refused, at fields and without one. */
  readonly issues: readonly Issue[];
  readonly fault: string | null;
  /** The same in one line, where there are no fields. */
  readonly refusal: string | null;
  /** Resolves with whether the server made the change. */
  readonly update: (label: string, input: object) => Promise<boolean>;
  readonly revert: (label: string, input: object) => Promise<boolean>;
  readonly undo: (label: string, batch: string) => Promise<boolean>;
  readonly send: (label: string, mutation: unknown, input: object) => Promise<boolean>;
  readonly cancel: () => void;
  readonly clear: () => void;
  /** Shows the receipt of a change that was sent in another way; null: shows none. */
  readonly show: (done: Done | null) => void;
}

/** Sends changes, and keeps what the server says of them. */
export function useCommit({ onFlag, onDone, onMissing }: CommitOptions = {}): Commit {
  const client = useClient();
  const [isBusy, setBusy] = useState(false);
  const [waiting, setWaiting] = useState<Waiting | null>(null);
  const [done, show] = useState<Done | null>(null);
  const [refusal, setRefusal] = useState<Refusal>(accepted);

  const send = async (label: string, mutation: unknown, input: object): Promise<boolean> => {
    setBusy(true);
    setWaiting(null);
    const { data, error } = await client.mutation(mutation as Mutation, { input });
    setBusy(false);
    const result = data?.result;
    if (result === undefined) {
      const fault = error?.graphQLErrors[0]?.message ?? noAnswer;
      setRefusal({ issues: [], fault, refusal: fault });
      return false;
    }
    for (const flag of [result.flag, ...(result.flags ?? [])])
      if (flag !== undefined) onFlag?.(flag as SavedFlag, result.revision !== undefined);
    if (result.revision !== undefined) {
      setRefusal(accepted);
      const batch = result.batch ?? null;
      const made = { label: batch === null ? unchanged : label, revision: result.revision, batch };
      show(made);
      onDone?.(made);
      return true;
    }
    const { preview } = result;
    if (preview !== undefined)
      setWaiting({ label, preview, send: async confirm => void (await send(label, mutation, { ...input, confirm })) });
    const isConflict = result.__typename === 'VersionConflictError';
    const isShown = preview !== undefined || isConflict;
    const keys = keysIn(input);
    const missing =
      result.path?.[0] === 'flags' && result.__typename === 'FlagNotFoundError'
        ? keys[Number(result.path[1])]
        : undefined;
    if (missing !== undefined) onMissing?.(missing);
    const message =
      missing !== undefined
        ? missingText(missing)
        : result.conflicts !== undefined
          ? conflictsText(result.conflicts, mutation === UndoBatch)
          : (result.message ?? '');
    setRefusal({
      issues: result.issues ?? [],
      fault: isConflict ? savedFirst : isShown || result.issues !== undefined ? null : message,
      refusal: isShown
        ? null
        : errorText({ code: '', message, ...(result.issues && { issues: result.issues }) }, { flags: keys }),
    });
    return false;
  };

  return {
    isBusy,
    waiting,
    done,
    ...refusal,
    send,
    update: (label, input) => send(label, UpdateFlag, input),
    revert: (label, input) => send(label, RevertFlag, input),
    undo: (label, batch) => send(label, UndoBatch, { batch }),
    cancel: () => setWaiting(null),
    clear: () => setRefusal(accepted),
    show,
  };
}

/** The keys of the flags that a change of several names. */
function keysIn(input: object): readonly string[] {
  const { flags = [] } = input as { readonly flags?: readonly { readonly key: string }[] };
  return flags.map(({ key }) => key);
}

type Refusal = Pick<Commit, 'issues' | 'fault' | 'refusal'>;

const accepted: Refusal = { issues: [], fault: null, refusal: null };
const savedFirst = 'Somebody else saved first, so this was not saved. Look at what has changed, and save again.';
const unchanged = 'Nothing to change: it is as it was then.';
