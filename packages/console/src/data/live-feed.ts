import type { Client } from 'urql';
import { fromPromise, mergeMap, pipe, subscribe, take, tap } from 'wonka';
import type { ActiveQueries } from './active-queries.js';
import { flagNews } from './flag-news.js';
import type { ChangeKind } from './generated/graphql.js';
import { graphql } from './generated/index.js';

export const feedName = 'ConsoleChanges';

const Start = graphql(`
  query Start {
    viewer {
      id
      revision
    }
  }
`);

/** Each change brings its flag as it is now: the cache shows it on every screen. */
const Changes = graphql(`
  subscription ConsoleChanges($sinceRevision: Int) {
    changes(sinceRevision: $sinceRevision) {
      id
      revision
      kind
      flag {
        ...FlagDefinition
      }
    }
  }
`);

/** Changes after which lists of flags have other members. */
const ofLists: readonly ChangeKind[] = ['FLAG_CREATED', 'FLAG_DELETED', 'RESET'];
/** Changes after which other flags may match a filter. */
const ofFlags: readonly ChangeKind[] = [...ofLists, 'FLAG_UPDATED'];
/** Milliseconds between two refreshes, at least: changes may come by hundreds. */
const pause = 500;
const retryDelay = 2_000;

interface Payload {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Record<string, unknown>;
}

/** Follows the change log for the whole console, from where it was after each interruption. */
export class LiveFeed {
  readonly #queries: ActiveQueries;
  #revision: number | null = null;
  #hasNewList = false;
  #hasFlagNews = false;
  #refresh: ReturnType<typeof setTimeout> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(queries: ActiveQueries) {
    this.#queries = queries;
  }

  /** The variables are read each time that the socket is opened, so the feed goes on after the last change that came. */
  resuming(payload: Payload): Payload {
    const revision = () => this.#revision;
    return {
      ...payload,
      variables: {
        get sinceRevision() {
          return revision();
        },
      },
    };
  }

  /**
   * Follows from a revision on that is older than all that screens ask for after it, so that nothing is missed between the two.
   * @param early the revision of what was asked for at the same time; null if there is no answer.
   */
  start(client: Client, early: Promise<number | null> = Promise.resolve(null)): void {
    const { unsubscribe } = pipe(
      client.query(Start, {}, { requestPolicy: 'network-only' }),
      take(1),
      mergeMap(({ data }) => fromPromise(early.then(revision => [data?.viewer.revision, revision]))),
      tap(([revision, earlier]) => {
        this.#revision = revision == null ? null : Math.min(revision, earlier ?? revision);
      }),
      mergeMap(() => client.subscription(Changes, {})),
      subscribe(({ data, error }) => {
        if (error !== undefined) return this.#restart(client);
        if (data === undefined) return;
        const { revision, kind } = data.changes;
        this.#revision = revision;
        this.#hasNewList ||= ofLists.includes(kind);
        this.#hasFlagNews ||= ofFlags.includes(kind);
        this.#refresh ??= setTimeout(() => {
          this.#refresh = null;
          const hasNewList = this.#hasNewList;
          this.#hasNewList = false;
          if (this.#hasFlagNews) flagNews.set(this.#revision);
          this.#hasFlagNews = false;
          this.#queries.refresh(freshness => freshness === 'changes' || hasNewList);
        }, pause);
      }),
    );
    this.#unsubscribe = unsubscribe;
  }

  stop(): void {
    this.#unsubscribe?.();
    for (const timer of [this.#refresh, this.#retry]) if (timer !== null) clearTimeout(timer);
  }

  /** The log is another one, or does not go back so far: everything is asked anew. */
  #restart(client: Client): void {
    this.#unsubscribe?.();
    this.#revision = null;
    this.#retry = setTimeout(() => {
      this.start(client);
      this.#queries.refresh();
    }, retryDelay);
  }
}
