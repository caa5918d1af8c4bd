import type { Client } from 'urql';
import { pipe, subscribe, take } from 'wonka';
import type { AddMembersMutation } from '../../data/generated/graphql.js';
import { Store } from '../../data/store.js';
import { pastedIds, slicesOf } from '../../draft/pasted-ids.js';
import { errorText } from '../../words/errors.js';
import { count, plural } from '../../words/numbers.js';
import { AddMembers } from './documents.js';

export interface AdditionState {
  /** What stands in the field. */
  readonly text: string;
  /** Null: nothing is being added. */
  readonly progress: { readonly done: number; readonly total: number } | null;
  /** Why it ended early, what was added, and where the rest is. */
  readonly ended: string | null;
  /** What was added last. */
  readonly added: { readonly label: string; readonly revision: number } | null;
}

type Answer = AddMembersMutation['result'] | { readonly message: string } | 'stopped' | 'lost';

/** Pasted ids on their way into a group. It goes on while its reader is on another screen, and keeps what is not added. */
export class Addition {
  readonly state = new Store<AdditionState>({ text: '', progress: null, ended: null, added: null });
  readonly #client: Client;
  readonly #group: string;
  #stop: () => void = () => {};

  constructor(client: Client, group: string) {
    this.#client = client;
    this.#group = group;
  }

  write(text: string): void {
    this.#set({ text, ended: null });
  }

  /** At once. The request that is under way may have been carried out: its ids stay, and adding them again changes nothing. */
  stop(): void {
    this.#stop();
  }

  noteSeen(): void {
    this.#set({ added: null });
  }

  async add(): Promise<void> {
    const { text, progress } = this.state.get();
    const { ids, refused } = pastedIds(text);
    if (progress !== null || ids.length === 0) return;
    const stopped = new Promise<'stopped'>(resolve => {
      this.#stop = () => resolve('stopped');
    });
    let [done, added, revision] = [0, 0, 0];
    let ended: string | null = null;
    for (const slice of slicesOf(ids)) {
      this.#set({ progress: { done, total: ids.length }, ended: null });
      const answer = await this.#send(slice, stopped);
      if (typeof answer === 'string' || !('added' in answer)) {
        ended = `${reason(answer)} ${rest(done, ids.length)}`;
        break;
      }
      done += slice.length;
      added += answer.added;
      revision = answer.revision;
    }
    const left = [...ids.slice(done), ...refused.map(({ id }) => id)];
    const were = done - added;
    const label = `Added ${plural(added, 'user')} to ${this.#group}${were > 0 ? `. ${plural(were, 'was a member', 'were members')} already` : ''}.`;
    this.#set({
      progress: null,
      ended,
      // Where nothing was added, the field stays as it was typed.
      ...(done === 0 ? {} : { text: left.join('\n'), added: { label, revision } }),
    });
  }

  #send(slice: readonly string[], stopped: Promise<'stopped'>): Promise<Answer> {
    let unsubscribe = () => {};
    const answer = new Promise<Answer>(resolve => {
      ({ unsubscribe } = pipe(
        this.#client.mutation(AddMembers, { input: { group: this.#group, userIds: [...slice] } }),
        take(1),
        subscribe(({ data, error }) => resolve(data?.result ?? error?.graphQLErrors[0] ?? 'lost')),
      ));
    });
    return Promise.race([answer, stopped.finally(() => unsubscribe())]);
  }

  #set(change: Partial<AdditionState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}

function reason(answer: Exclude<Answer, { readonly __typename: 'AddToGroupPayload' }>): string {
  if (answer === 'stopped') return 'Stopped.';
  if (answer === 'lost') return 'The server did not answer.';
  return 'code' in answer ? errorText(answer) : answer.message;
}

const rest = (done: number, total: number) =>
  `${count(done)} of ${count(total)} are added. The others are in the field: adding an id again does no harm.`;

const additions = new WeakMap<Client, Map<string, Addition>>();

/** That of a group, in one session of the console. */
export function additionOf(client: Client, group: string): Addition {
  const groups = additions.get(client) ?? new Map<string, Addition>();
  additions.set(client, groups);
  const addition = groups.get(group) ?? new Addition(client, group);
  groups.set(group, addition);
  return addition;
}
