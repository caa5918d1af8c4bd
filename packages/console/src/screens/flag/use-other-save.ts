import { useEffect, useRef, useState } from 'react';
import type { FlagHistoryFieldsFragment } from '../../data/generated/graphql.js';
import { changesBetween } from '../../draft/changes.js';
import type { SavedFlag } from '../../draft/fields.js';
import { actorOf } from '../../parts/change-item.js';
import type { OtherSave } from './conflicts.js';

/**
 * Notices when a flag changes by somebody else.
 * @param ownVersion the version that the last save of this page made.
 * @param history newest first.
 */
export function useOtherSave(flag: SavedFlag, ownVersion: number, history: readonly FlagHistoryFieldsFragment[]) {
  const before = useRef(flag);
  const [save, setSave] = useState<Omit<OtherSave, 'by'> | null>(null);
  useEffect(() => {
    const earlier = before.current;
    before.current = flag;
    if (flag.version <= earlier.version || flag.version === ownVersion) return;
    const fields = new Set(changesBetween(earlier, flag).map(({ path }) => path.slice(0, 2).join('/'))).size;
    if (fields > 0) setSave({ fields });
  }, [flag, ownVersion]);
  const last = history.find(({ kind }) => kind === 'FLAG_UPDATED');
  return {
    save: save === null ? null : { ...save, by: last === undefined ? 'Somebody' : actorOf(last) },
    dismiss: () => setSave(null),
  };
}
