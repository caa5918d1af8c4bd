import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import type { PreviewFieldsFragment } from '../../data/generated/graphql.js';
import type { FlagPatch } from '../../draft/changes.js';
import type { Issue } from '../../draft/validate.js';
import { PreviewFlag } from './documents.js';

/** Milliseconds without a change before the server counts. */
const pause = 300;

export interface Preview {
  /** Null: nothing has been counted yet. */
  readonly counted: PreviewFieldsFragment | null;
  /** Whether `counted` belongs to an earlier state of the draft. */
  readonly isCounting: boolean;
  /** What the server would refuse. */
  readonly issues: readonly Issue[];
  /** Null: the last preview could be counted. */
  readonly fault: string | null;
}

const nothing: Preview = { counted: null, isCounting: true, issues: [], fault: null };

/** Who would gain and lose the flag. @param patch null: there is nothing to count. */
export function usePreview(patch: FlagPatch | null): Preview {
  const client = useClient();
  const [preview, setPreview] = useState(nothing);
  const input = patch === null ? null : JSON.stringify(patch);
  useEffect(() => {
    setPreview(before => (input === null ? nothing : { ...before, isCounting: true }));
    if (input === null) return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      const variables = { input: JSON.parse(input) as FlagPatch & { key: string } };
      const { data, error } = await client.query(PreviewFlag, variables as never, { requestPolicy: 'network-only' });
      if (!isCurrent) return;
      const result = data?.previewFlag;
      if (result?.__typename === 'FlagPreview')
        setPreview({ counted: result, isCounting: false, issues: [], fault: null });
      else if (result?.__typename === 'ValidationError')
        setPreview(before => ({ ...before, isCounting: false, issues: result.issues, fault: null }));
      else
        setPreview(before => ({
          ...before,
          isCounting: false,
          issues: [],
          fault: result?.message ?? error?.graphQLErrors[0]?.message ?? error?.message ?? null,
        }));
    }, pause);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [client, input]);
  return preview;
}
