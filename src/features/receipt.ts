import type { Change } from '../backends/backend.js';
import { Latencies } from '../core/latencies.js';
import type { ReceiptCount } from '../core/receipt.js';

/** An update that a transport has yet to take. */
export interface Underway {
  /** The batches that are not with the viewer before it is taken. */
  readonly of: readonly Receipt[];
  /** Those of them whose viewer was not counted by an earlier update. */
  readonly toCount: readonly Receipt[];
}

/** How far the changes of one batch have come to the viewers of this process. */
export class Receipt {
  affected = 0;
  handed = 0;
  readonly latencies = new Latencies();
  readonly parts: Part[] = [];
  #first: Underway | null = null;
  #again: Underway | null = null;

  /** @param appliedAt when the batch was applied, as `performance.now()` has it. */
  constructor(readonly appliedAt: number) {}

  /** Most updates are of one batch. Many batches reach nobody. */
  get first(): Underway {
    this.#first ??= { of: [this], toCount: [this] };
    return this.#first;
  }

  /** A batch that comes in parts may reach a viewer several times, who counts once. */
  get again(): Underway {
    this.#again ??= { of: [this], toCount: [] };
    return this.#again;
  }

  /**
   * Whether a viewer may yet be handed an answer that this batch changes.
   * @param touchedSince the first stretch of the log that the viewer was not evaluated after; 0: it was evaluated after all.
   */
  concerns(touchedSince: number, keys: readonly string[] | null, storedId: string | null): boolean {
    return touchedSince > 0 && this.parts.some(part => part.stretch >= touchedSince && part.touches(keys, storedId));
  }

  count(behind: number): ReceiptCount {
    return { affected: this.affected, handed: this.handed, behind, latencies: this.latencies.counts };
  }
}

/** The keys of the flags whose answers an update has. */
interface ChangedAnswers {
  readonly features: readonly { readonly key: string }[];
  readonly removed: readonly string[];
}

/** What the changes of one batch in one stretch of the log are about. */
export class Part {
  readonly #flags = new Set<string>();
  /** By stored id, the flag whose override was changed; null: more than that was. Most batches touch no user. */
  #users: Map<string, string | null> | null = null;

  /** @param isEverything whether any answer may have changed. */
  constructor(
    readonly receipt: Receipt,
    readonly stretch: number,
    readonly isEverything: boolean,
  ) {}

  add(
    { kind, flagKey, userId, userIds }: Change,
    redefined: ReadonlySet<string>,
    isHere: (storedId: string) => boolean,
  ): void {
    if (flagKey !== null && kind.startsWith('FLAG_') && redefined.has(flagKey)) this.#flags.add(flagKey);
    if (userId !== null && isHere(userId)) this.#addUser(userId, flagKey);
    for (const member of userIds) if (isHere(member)) this.#addUser(member, null);
  }

  /** Whether it may change answers of a viewer. @param keys the flags that the viewer follows; null: all. */
  touches(keys: readonly string[] | null, storedId: string | null): boolean {
    if (this.isEverything || (storedId !== null && this.#users?.has(storedId) === true)) return true;
    return keys === null ? this.#flags.size > 0 : keys.some(key => this.#flags.has(key));
  }

  /** Whether it may be why a viewer has got this update. */
  explains({ features, removed }: ChangedAnswers, storedId: string | null): boolean {
    if (this.isEverything) return true;
    const override = storedId === null ? undefined : this.#users?.get(storedId);
    if (override === null) return true;
    const isIt = (key: string) => key === override || this.#flags.has(key);
    return features.some(({ key }) => isIt(key)) || removed.some(isIt);
  }

  #addUser(storedId: string, flagKey: string | null): void {
    this.#users ??= new Map();
    const known = this.#users.get(storedId);
    this.#users.set(storedId, known === undefined || known === flagKey ? flagKey : null);
  }
}
