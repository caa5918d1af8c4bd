import { useEffect, useReducer } from 'react';
import type { FieldChange } from '../../draft/changes.js';
import { changesOf, type Draft, type DraftAction, reduceDraft, startDraft } from '../../draft/draft.js';
import type { SavedFlag } from '../../draft/fields.js';
import { type Issue, issuesOf } from '../../draft/validate.js';

export interface FlagDraft {
  readonly draft: Draft;
  readonly dispatch: (action: DraftAction) => void;
  readonly changes: readonly FieldChange[];
  /** Faults that are certain without the server. */
  readonly issues: readonly Issue[];
}

/** Drafts of pages that were left, by the key of the flag: coming back loses nothing. */
const left = new Map<string, Draft>();

/** What was changed of a flag and not saved. */
export const leftDraft = (key: string): Draft | undefined => left.get(key);

/** The draft over a flag, which moves when the flag does. */
export function useFlagDraft(flag: SavedFlag): FlagDraft {
  const [draft, dispatch] = useReducer(reduceDraft, flag, started);
  useEffect(() => dispatch({ type: 'saved', flag }), [flag]);
  const changes = changesOf(draft);
  useEffect(() => {
    if (changesOf(draft).length > 0) left.set(draft.saved.key, draft);
    else left.delete(draft.saved.key);
  }, [draft]);
  return { draft, dispatch, changes, issues: issuesOf(draft.fields, draft.saved.type) };
}

function started(flag: SavedFlag): Draft {
  const draft = left.get(flag.key);
  return draft === undefined ? startDraft(flag) : reduceDraft(draft, { type: 'saved', flag });
}
