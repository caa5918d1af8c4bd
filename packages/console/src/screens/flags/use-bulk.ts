import { useRef, useState } from 'react';
import type { SavedFlag } from '../../draft/fields.js';
import { type Commit, useCommit } from '../../parts/use-commit.js';
import { UpdateFlags } from './documents.js';

/** What a change needs to know of a flag. */
type Known = Pick<SavedFlag, 'key' | 'version' | 'tags' | 'enabled'>;

export interface Bulk {
  readonly commit: Commit;
  /** Keys of flags that wait for the server. */
  readonly busy: ReadonlySet<string>;
  /** Changes all of them, or none. Resolves with whether the server made the change. */
  readonly send: (label: string, flags: readonly Known[], change: (flag: Known) => object) => Promise<boolean>;
  /** Adds a tag to all of them, over the tags that they have on the server. */
  readonly tag: (label: string, flags: readonly Known[], tag: string) => Promise<boolean>;
}

export interface BulkOptions {
  readonly onDone: () => void;
  /** A flag of the change does not exist any more. */
  readonly onMissing: (key: string) => void;
}

/** Reads of what others have changed meanwhile, until the reader is asked. */
const attempts = 3;

/** Changes of one flag or of several at once, each with one undo. */
export function useBulk({ onDone, onMissing }: BulkOptions): Bulk {
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
  const newer = useRef(new Map<string, SavedFlag>());
  const commit = useCommit({
    onFlag: (flag, isOwn) => void (isOwn ? null : newer.current.set(flag.key, flag)),
    onMissing,
  });

  const send: Bulk['send'] = async (label, flags, change) => {
    const names = flags.map(({ key }) => key);
    setBusy(before => new Set([...before, ...names]));
    const isDone = await commit.send(label, UpdateFlags, {
      flags: flags.map(flag => ({ key: flag.key, ...change(flag) })),
    });
    setBusy(before => new Set([...before].filter(name => !names.includes(name))));
    if (isDone) onDone();
    return isDone;
  };
  const tag: Bulk['tag'] = async (label, flags, name) => {
    let known = flags;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      newer.current.clear();
      // The input has all tags of a flag. Without the version it would take away what somebody else has added meanwhile.
      const isDone = await send(label, known, ({ tags, version }) => ({
        tags: [...new Set([...tags, name])],
        expectedVersion: version,
      }));
      if (isDone) return true;
      if (newer.current.size === 0) return false;
      known = known.map(flag => newer.current.get(flag.key) ?? flag);
    }
    return false;
  };
  return { commit, busy, send, tag };
}
