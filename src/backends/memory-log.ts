import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../core/json.js';
import { storedUserId } from '../core/user-id.js';
import type { Author, Change, ChangePage, LogCriterion, LogFound, LogSearch, Written } from './backend.js';

/** The author of a write with the batch of its changes. */
export interface Signature extends Author {
  readonly batch: string;
}

const noFields = { flagKey: null, userId: null, groupName: null, userIds: [], before: null, after: null } as const;

/** The change log of a backend in memory. */
export class MemoryLog {
  readonly #epoch = randomUUID();
  readonly #now: () => Date;
  readonly #changes: Change[] = [];
  readonly #hintListeners = new Set<() => void>();
  /** Whether hints wait, because a write is not complete. */
  #isHeld = false;

  constructor(now: () => Date) {
    this.#now = now;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get head(): number {
    return this.#changes.length;
  }

  page(after: number, limit: number): ChangePage {
    const changes = this.#changes.slice(after, after + limit);
    return { epoch: this.#epoch, head: this.head, nonce: this.nonceOf(after), changes };
  }

  nonceOf(revision: number): string | null {
    return this.#changes[revision - 1]?.nonce ?? null;
  }

  search(search: LogSearch): LogFound {
    const tests = search.any.map(matcher);
    const changes = this.since(search.after).filter(change => tests.some(test => test(change)));
    if (search.newestFirst === true) changes.reverse();
    return { prunedTo: 0, head: this.head, changes: changes.slice(0, search.limit) };
  }

  since(revision: number): readonly Change[] {
    return this.#changes.slice(revision);
  }

  onHint(listener: () => void): () => void {
    // The same listener may be added twice, and each time is removed alone.
    const own = () => listener();
    this.#hintListeners.add(own);
    return () => void this.#hintListeners.delete(own);
  }

  removeListeners(): void {
    this.#hintListeners.clear();
  }

  /** Runs a write. All changes that it logs are one batch. */
  write<T>(by: Author | null, write: (by: Signature) => T): Written<T> {
    const before = this.head;
    const batch = by?.batch ?? randomUUID();
    const value = write({ actor: null, ...by, batch });
    return { value, revision: this.head, batch: this.head > before ? batch : null };
  }

  /** Runs a write whose changes are hinted at its end. If it throws, they are removed. */
  atomic(write: () => void): void {
    const before = this.head;
    this.#isHeld = true;
    try {
      write();
    } catch (error) {
      this.#changes.length = before;
      throw error;
    } finally {
      this.#isHeld = false;
    }
    if (this.head > before) this.#hint();
  }

  append({ actor, note, batch, reverts, apiKeyId }: Signature, change: Pick<Change, 'kind'> & Partial<Change>): void {
    this.#changes.push({
      ...noFields,
      revision: this.head + 1,
      nonce: randomUUID(),
      at: this.#now(),
      actorId: actor === null ? null : storedUserId(actor),
      note: note ?? null,
      batch,
      reverts: reverts ?? null,
      apiKeyId: apiKeyId ?? null,
      ...change,
    });
    if (!this.#isHeld) this.#hint();
  }

  /** Removes what the log says about a deleted user. Null: about all users. */
  erase(storedId: string | null): void {
    for (const [index, change] of this.#changes.entries()) {
      if (change.userId === null || (storedId !== null && change.userId !== storedId)) continue;
      this.#changes[index] = { ...change, before: erased(change.before), after: erased(change.after) };
    }
  }

  /** Synchronous, so that an evaluation right after a seed, without a turn of the event loop between, sees the seed. */
  #hint(): void {
    for (const own of [...this.#hintListeners]) own();
  }
}

function erased(state: JsonObject | null): JsonObject | null {
  return state && { ...state, ...('reason' in state ? { reason: null } : { attributes: {} }) };
}

/** Whether a change matches: the same as `searchCondition` in log-search.ts. */
function matcher({ kinds, flagKeys, groups, userIds, batch }: LogCriterion): (change: Change) => boolean {
  const among = (list: readonly string[] | undefined) => {
    const set = list && new Set(list);
    return (value: string | null) => set === undefined || (value !== null && set.has(value));
  };
  const [isKind, isFlag, isGroup, isUser] = [among(kinds), among(flagKeys), among(groups), among(userIds)];
  return change =>
    isKind(change.kind) &&
    isFlag(change.flagKey) &&
    isGroup(change.groupName) &&
    (batch === undefined || change.batch === batch) &&
    (isUser(change.userId) || change.userIds.some(isUser));
}
