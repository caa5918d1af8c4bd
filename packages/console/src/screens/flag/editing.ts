import type { FieldChange } from '../../draft/changes.js';
import type { Draft, DraftAction } from '../../draft/draft.js';
import { type Path, startsWith } from '../../draft/fields.js';
import type { Issue } from '../../draft/validate.js';

/** What the sections of the page share: the draft, its faults, and who may change it. */
export interface Editing {
  readonly draft: Draft;
  readonly dispatch: (action: DraftAction) => void;
  readonly changes: readonly FieldChange[];
  /** Faults of the draft and what the server refused, with the names of rules and variants. */
  readonly issues: readonly Issue[];
  /** False for readers. */
  readonly canEdit: boolean;
}

/** The issues below a place, with paths from there. */
export function below(issues: readonly Issue[], path: Path): readonly Issue[] {
  return issues
    .filter(issue => startsWith(issue.path, path))
    .map(issue => ({ ...issue, path: issue.path.slice(path.length) }));
}
