import { setTimeout as sleep } from 'node:timers/promises';
import type { Attributes } from '../../src/core/attributes.js';
import type { JsonObject } from '../../src/core/json.js';
import { mutationKinds, type World } from '../chaos/changes.js';
import { answersOf, differences, type ExpectedAnswers, type StoredFlag, type StoredUser } from '../chaos/oracle.js';
import type { Random } from '../chaos/random.js';
import { drawSpecs } from '../chaos/specs.js';
import { SseViewer, type Viewer, WsViewer } from '../chaos/viewer.js';
import { type GraphQLAnswer, httpClient } from '../support/clients.js';

export interface HonestOptions {
  readonly url: string;
  readonly random: Random;
  readonly key: Uint8Array;
  readonly adminToken: string;
  readonly viewers: number;
  /** Told of everything that must not be. */
  readonly violated: (what: string) => void;
}

/** Milliseconds between the answer to a change and the next one. */
const changeInterval = 50;
/** Milliseconds that a change may take to be answered. */
const answerTime = 30_000;
/** Users whose stored data is read in one operation. */
const usersAtOnce = 5;

/** Those whom the others must not disturb: viewers, half of them over either way, and an admin who changes things. */
export class Honest {
  readonly viewers: readonly Viewer[];
  changes = 0;
  readonly #options: HonestOptions;
  readonly #world: World;
  #isChanging = false;
  #changing: Promise<void> = Promise.resolve();
  #lastExpiry = 0;

  private constructor(options: HonestOptions, viewers: readonly Viewer[], world: World) {
    this.#options = options;
    this.viewers = viewers;
    this.#world = world;
  }

  /** Draws them. None has come yet. */
  static async draw(options: HonestOptions): Promise<Honest> {
    const { random, key, url, violated } = options;
    const specs = await drawSpecs(random, key, options.viewers);
    const viewers = specs.map((spec, index) =>
      index % 2 === 0
        ? new WsViewer(spec, { url: () => url, violated })
        : new SseViewer(spec, { url: () => url, violated }),
    );
    return new Honest(options, viewers, {
      users: [...new Set(specs.flatMap(({ userId }) => userId ?? [])), random.uuid()],
      flags: Array.from({ length: 16 }, (_, index) => `flag_${index}`),
      groups: Array.from({ length: 5 }, (_, index) => `group_${index}`),
      bulk: 50,
    });
  }

  come(): void {
    for (const viewer of this.viewers) viewer.start();
  }

  get isWatching(): boolean {
    return this.viewers.every(({ snapshots }) => snapshots > 0);
  }

  beginChanges(): void {
    this.#isChanging = true;
    this.#changing = this.#change();
  }

  /** Resolves when the last change is answered and no override is about to expire. */
  async endChanges(): Promise<void> {
    this.#isChanging = false;
    await this.#changing;
    await sleep(Math.max(0, this.#lastExpiry - Date.now()));
  }

  /** What viewers have that core/evaluate does not make of what is stored, one line a viewer. */
  async wrong(): Promise<string[]> {
    const expected = await this.#readStored();
    return this.viewers.flatMap(({ spec, answers, revision, snapshots }) => {
      const wrong = snapshots === 0 ? ['nothing received'] : differences(answers, expected(spec, Date.now()));
      return wrong.length === 0 ? [] : [`${spec.name} at revision ${revision}: ${wrong.join('; ')}`];
    });
  }

  async leave(): Promise<void> {
    await Promise.all(this.viewers.map(viewer => viewer.stop()));
  }

  async #change(): Promise<void> {
    const { random } = this.#options;
    while (this.#isChanging) {
      const change = random.weighted(mutationKinds).draw(random, this.#world);
      await change({
        expires: at => {
          this.#lastExpiry = Math.max(this.#lastExpiry, at);
        },
        mutate: (mutation, input) => this.#mutate(mutation, input),
        sql: () => Promise.reject(new Error('There is no database to reach past the server.')),
      });
      this.changes += 1;
      await sleep(changeInterval);
    }
  }

  async #mutate(mutation: string, input: JsonObject): Promise<void> {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on Error { code } } }`;
    const answer = await this.#ask(query, { input });
    const code = answer?.data?.[mutation]?.code;
    // What was to expire may have done so before the change was made.
    const isRight = code === undefined || mutation === 'setOverride' || expectedCodes.includes(code);
    if (answer?.errors !== undefined || !isRight) {
      this.#options.violated(`a change by ${mutation} was answered ${JSON.stringify(answer).slice(0, 500)}`);
    }
  }

  /** Null when no answer came, which is said. */
  async #ask(query: string, variables: Record<string, unknown> = {}): Promise<GraphQLAnswer | null> {
    const { url, adminToken, violated } = this.#options;
    const late = new AbortController();
    try {
      const asked = httpClient(url, adminToken).query(query, variables, { connection: 'close' });
      const timeout = sleep(answerTime, null, { signal: late.signal }).catch(() => null);
      const answer = await Promise.race([asked, timeout]);
      if (answer === null) violated(`an admin waited ${answerTime} ms in vain for an answer`);
      return answer?.body ?? null;
    } catch (error) {
      violated(`an admin could not ask: ${String((error as Error).cause ?? error)}`);
      return null;
    } finally {
      late.abort();
    }
  }

  async #readStored(): Promise<ExpectedAnswers> {
    const listed = await this.#ask('{ flags(first: 100) { nodes { key enabled percentage conditions } } }');
    const flags = (listed?.data?.flags.nodes ?? []) as StoredFlag[];
    const users = new Map<string, StoredUser>();
    const ids = this.#world.users;
    for (let start = 0; start < ids.length; start += usersAtOnce) {
      const some = ids.slice(start, start + usersAtOnce);
      const fields = some.map((id, index) => `u${index}: user(id: "${id}") { ...U }`);
      const answer = await this.#ask(`{ ${fields.join(' ')} } ${userFragment}`);
      some.forEach((id, index) => {
        const user: ReadUser | null = answer?.data?.[`u${index}`] ?? null;
        if (user !== null) users.set(id, storedUser(user));
      });
    }
    return answersOf(flags, id => users.get(id));
  }
}

const expectedCodes = ['FLAG_EXISTS', 'FLAG_NOT_FOUND', 'VERSION_CONFLICT'];

const userFragment =
  'fragment U on User { attributes groups overrides(first: 50) { nodes { enabled expiresAt flag { key } } } }';

interface ReadUser {
  readonly attributes: Attributes;
  readonly groups: readonly string[];
  readonly overrides: {
    readonly nodes: readonly {
      readonly enabled: boolean;
      readonly expiresAt: string | null;
      readonly flag: { readonly key: string };
    }[];
  };
}

function storedUser({ attributes, groups, overrides }: ReadUser): StoredUser {
  return {
    attributes,
    groups,
    overrides: overrides.nodes.map(({ enabled, expiresAt, flag }) => ({
      flagKey: flag.key,
      enabled,
      expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
    })),
  };
}
