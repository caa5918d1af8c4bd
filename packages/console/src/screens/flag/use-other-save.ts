import { useEffect, useRef, useState } from 'react';
import type { FlagHistoryFieldsFragment } from '../../data/generated/graphql.js';
import { changesBetween } from '../../draft/changes.js';
import type { SavedFlag } from '../../draft/fields.js';
import type { Conflict } from '../../draft/merge.js';
import { actorOf } from '../../parts/change-item.js';
import type { OtherSave } from './conflicts.js';

export interface OtherSaveOptions {
  readonly flag: SavedFlag;
  /** When it was changed last. ISO 8601. */
  readonly updatedAt: string;
  /** What both changed, and nobody has decided yet. */
  readonly conflicts: readonly Conflict[];
  /** Newest first. */
  readonly history: readonly FlagHistoryFieldsFragment[];
}

/** Notices when a flag changes by somebody else. */
export function useOtherSave({ flag, updatedAt, conflicts, history }: OtherSaveOptions) {
  const before = useRef(flag);
  const own = useRef(new Set<number>());
  const [save, setSave] = useState<{ readonly version: number; readonly fields: number } | null>(null);
  useEffect(() => {
    const earlier = before.current;
    before.current = flag;
    if (flag.version <= earlier.version) return;
    const fields = new Set(changesBetween(earlier, flag).map(({ path }) => path.slice(0, 2).join('/'))).size;
    if (fields > 0) setSave({ version: flag.version, fields });
  }, [flag]);
  // The feed may tell of an own save before its answer has come.
  const told = save !== null && !own.current.has(save.version) ? save.fields : conflicts.length;
  // The history comes after the flag: until then its newest entry names the author of an earlier change.
  const last = history.find(({ kind, at }) => kind === 'FLAG_UPDATED' && at >= updatedAt);
  const other: OtherSave = { by: last === undefined ? 'Somebody' : actorOf(last), fields: told };
  return {
    save: told === 0 ? null : other,
    /** A version that this page made. */
    noteOwn: (version: number) => void own.current.add(version),
    dismiss: () => setSave(null),
  };
}
