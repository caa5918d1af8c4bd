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

/** The draft over a flag, which moves when the flag does. */
export function useFlagDraft(flag: SavedFlag): FlagDraft {
  const [draft, dispatch] = useReducer(reduceDraft, flag, startDraft);
  useEffect(() => dispatch({ type: 'saved', flag }), [flag]);
  return { draft, dispatch, changes: changesOf(draft), issues: issuesOf(draft.fields, draft.saved.type) };
}
