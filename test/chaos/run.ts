import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken } from '../../src/auth/token.js';
import type { JsonObject } from '../../src/core/json.js';
import { storedUserId } from '../../src/core/user-id.js';
import { until } from '../support/wait.js';
import { changeKinds, type Hands, hasValues, type Statement, type World } from './changes.js';
import { ChaosDatabase } from './database.js';
import { faultKinds, type Stage } from './faults.js';
import { assertNobodyIsLeft, goodbyes } from './goodbyes.js';
import { inTime } from './in-time.js';
import { NodeProcess, type NodeSettings } from './node-process.js';
import { answerText, differences, readStored } from './oracle.js';
import { Random } from './random.js';
import { drawSpecs } from './specs.js';
import { headersOf, type Sender, SseViewer, type Viewer, type ViewerSpec, WsViewer } from './viewer.js';

/** What a round ends with: the fault that is there, or just over, when everything is to be right again. */
export const partings = ['half-open', 'missed', 'restart', 'nodes', 'restored', 'past', 'quiet'] as const;

export type Parting = (typeof partings)[number];

export interface ChaosOptions {
  readonly seed: number;
  readonly steps: number;
  readonly viewers: number;
  /** After so many steps everything must be right. */
  readonly stepsPerRound: number;
  /** The share of steps that are faults; the others are changes. */
  readonly faults: number;
  /** In turn. */
  readonly partings: readonly Parting[];
  /** Milliseconds from settling until everything must be right. */
  readonly converge: number;
  /** Ids in a bulk change. */
  readonly bulk: number;
  readonly node?: NodeSettings;
  readonly log?: (line: string) => void;
}

/** How often something was done, and how often it was refused because something was down. */
export interface Count {
  done: number;
  refused: number;
}

export interface ChaosResult {
  readonly seed: number;
  readonly steps: number;
  readonly changes: ReadonlyMap<string, Count>;
  readonly faults: ReadonlyMap<string, Count>;
  readonly rounds: number;
  /** Milliseconds that each round took to be right. */
  readonly convergence: readonly number[];
  readonly updates: number;
  readonly wholeSets: number;
  readonly head: number;
}

/** Something was not as promised. */
export class ChaosFailure extends Error {
  override readonly name = 'ChaosFailure';
}

const secret = '0123456789abcdef0123456789abcdef';
const key = new TextEncoder().encode(secret);
/** Steps that are under way at once. */
const lanes = 3;
/** Milliseconds within which every mutation must have been answered, however bad the weather. */
const answerTime = 40_000;
/** Milliseconds between the last change of a round and settling, at least. */
const calm = 1_000;

const env = { AUTH_JWT_SECRET: secret, LOG_LEVEL: 'warn' };

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const run = new ChaosRun(options);
  try {
    return await run.run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ChaosFailure(`CHAOS_SEED=${options.seed}: ${message}`, { cause: error });
  } finally {
    await run.stop();
  }
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #choice: Random;
  readonly #changes = new Map<string, Count>();
  readonly #faults = new Map<string, Count>();
  readonly #convergence: number[] = [];
  readonly #violations: string[] = [];
  readonly #nodes: NodeProcess[] = [];
  #viewers: Viewer[] = [];
  #left = { updates: 0, snapshots: 0 };
  #world: World = { users: [], flags: [], groups: [], bulk: 0 };
  #database: ChaosDatabase | null = null;
  #admin: Sender = { token: null, device: null };
  #lastExpiry = 0;
  #head = 0;
  #exclusive: Promise<void> = Promise.resolve();

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#choice = this.#random.fork();
  }

  async run(): Promise<ChaosResult> {
    const { seed, steps, stepsPerRound, partings, log } = this.#options;
    await this.#begin();
    const database = this.#db;
    await this.#converge(10_000);
    let done = 0;
    for (let round = 0; done < steps; round += 1) {
      const count = Math.min(stepsPerRound, steps - done);
      await this.#steps(count);
      done += count;
      const parting = partings[round % partings.length] as Parting;
      await inTime(this.#part(parting), parting);
      await inTime(this.#settle(), 'settling');
      const time = await this.#converge(this.#options.converge);
      this.#convergence.push(time);
      database.thaw();
      log?.(
        `${done} of ${steps} steps; round ${round + 1} (${parting}) right after ${Math.round(time)} ms; revision ${this.#head}`,
      );
      // Those who come back are spread over both nodes again.
      await inTime(this.#sayGoodbye(round), 'a goodbye');
      this.#assertNothingViolated();
    }
    return {
      seed,
      steps: done,
      changes: this.#changes,
      faults: this.#faults,
      rounds: this.#convergence.length,
      convergence: this.#convergence,
      updates: this.#viewers.reduce((sum, viewer) => sum + viewer.updates, this.#left.updates),
      wholeSets: this.#viewers.reduce((sum, viewer) => sum + viewer.snapshots, this.#left.snapshots),
      head: this.#head,
    };
  }

  async stop(): Promise<void> {
    this.#database?.thaw();
    for (const node of this.#nodes) node.resume();
    await inTime(Promise.all(this.#viewers.map(viewer => viewer.stop())), 'viewers to leave');
    await Promise.all(this.#nodes.map(node => node.stop()));
    await this.#database?.stop();
  }

  get #db(): ChaosDatabase {
    if (this.#database === null) throw new Error('The run has not begun.');
    return this.#database;
  }

  async #begin(): Promise<void> {
    const { viewers: count, node, bulk } = this.#options;
    this.#database = await ChaosDatabase.start();
    const nodeEnv = { ...env, DATABASE_URL: this.#database.url };
    // At once, as after a deployment: one of them migrates.
    const started = await Promise.all([NodeProcess.start(nodeEnv, node), NodeProcess.start(nodeEnv, node)]);
    this.#nodes.push(...started);
    const token = await mintToken(key, { role: 'ADMIN', userId: null, expiresInSeconds: 86_400 });
    this.#admin = { token, device: null };
    const specs = await drawSpecs(this.#random, key, count);
    const watching = [...new Set(specs.flatMap(({ userId }) => userId ?? []))];
    this.#world = {
      users: [...watching, ...Array.from({ length: 20 }, () => this.#random.uuid())],
      flags: Array.from({ length: 16 }, (_, index) => `flag_${index}`),
      groups: Array.from({ length: 5 }, (_, index) => `group_${index}`),
      bulk,
    };
    this.#viewers = specs.map((spec, index) => this.#watch(spec, index));
  }

  #watch(spec: ViewerSpec, index: number): Viewer {
    const options = {
      url: () => this.#choice.pick(this.#nodes).url,
      violated: (what: string) => void this.#violations.push(what),
    };
    const viewer = index % 2 === 0 ? new WsViewer(spec, options) : new SseViewer(spec, options);
    viewer.start();
    return viewer;
  }

  /** Everybody leaves, in one way a round, and nothing may be left of them; then all come back. */
  async #sayGoodbye(round: number): Promise<void> {
    const { name, leave } = goodbyes[round % goodbyes.length] as (typeof goodbyes)[number];
    const leaving = this.#viewers;
    const hasty: Viewer[] = [];
    await leave(leaving, () => {
      const index = hasty.length;
      const viewer = this.#watch((leaving[index] as Viewer).spec, index);
      hasty.push(viewer);
      return viewer;
    });
    await Promise.all(this.#nodes.map(assertNobodyIsLeft));
    await Promise.all(leaving.map(viewer => viewer.stop()));
    for (const { updates, snapshots } of [...leaving, ...hasty]) {
      this.#left.updates += updates;
      this.#left.snapshots += snapshots;
    }
    this.#viewers = leaving.map(({ spec }, index) => this.#watch(spec, index));
    count(this.#faults, `everybody left: ${name}`).done += 1;
  }

  /** Runs so many steps, some at a time. What they are depends on the seed alone. */
  async #steps(count: number): Promise<void> {
    const plan = Array.from({ length: count }, () => this.#step());
    const lane = async () => {
      for (let step = plan.shift(); step !== undefined; step = plan.shift()) await inTime(step(), 'a step');
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    this.#assertNothingViolated();
  }

  #step(): () => Promise<void> {
    if (this.#random.chance(this.#options.faults)) {
      const { name, draw } = this.#random.weighted(faultKinds);
      const fault = draw(this.#random);
      return async () => {
        await fault(this.#stage());
        count(this.#faults, name).done += 1;
      };
    }
    const { name, draw } = this.#random.weighted(changeKinds);
    const change = draw(this.#random, this.#world);
    const node = this.#random.integer(0, 1);
    return () => change(this.#hands(name, this.#nodes[node] as NodeProcess));
  }

  #stage(): Stage {
    return {
      nodes: this.#nodes,
      database: this.#db,
      viewers: this.#viewers,
      exclusively: work => {
        const turn = this.#exclusive.then(work);
        this.#exclusive = turn.catch(() => undefined);
        return turn;
      },
      replace: async viewer => {
        const index = this.#viewers.indexOf(viewer);
        if (index < 0) return;
        this.#viewers[index] = this.#watch(viewer.spec, index);
        await viewer.stop();
        this.#left.updates += viewer.updates;
        this.#left.snapshots += viewer.snapshots;
      },
    };
  }

  #hands(name: string, node: NodeProcess): Hands {
    const record = (outcome: keyof Count) => {
      count(this.#changes, name)[outcome] += 1;
    };
    return {
      expires: at => {
        this.#lastExpiry = Math.max(this.#lastExpiry, at);
      },
      mutate: async (mutation, input) => record(await this.#mutate(node, mutation, input)),
      sql: async (...statements) => record(await this.#sql(statements)),
    };
  }

  async #mutate(node: NodeProcess, mutation: string, input: JsonObject): Promise<keyof Count> {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on Error { code message } } }`;
    let answer: { data?: Record<string, { code?: string }> | null; errors?: { extensions?: { code?: string } }[] };
    try {
      // As a load balancer does, which knows of a node that is down.
      const up = node.isUp ? node : (this.#nodes.find(({ isUp }) => isUp) ?? node);
      answer = (await this.#post(up, this.#admin, query, { input })) as typeof answer;
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError')
        this.#violations.push(`${mutation} hung for ${answerTime} ms`);
      return 'refused';
    }
    const code = answer.data?.[mutation]?.code;
    // Who was held up may find that what was to come has passed.
    // Values may not fit the flag that there is by then.
    const expected = [
      'FLAG_EXISTS',
      'FLAG_NOT_FOUND',
      'VERSION_CONFLICT',
      ...(hasValues(input) ? ['BAD_USER_INPUT'] : []),
    ];
    const isExpected = code === undefined || expected.includes(code);
    if (!isExpected && mutation !== 'setOverride')
      this.#violations.push(`${mutation} was answered ${JSON.stringify(answer)}`);
    if (answer.errors === undefined) return 'done';
    const isRefused = answer.errors.every(({ extensions }) => extensions?.code === 'UNAVAILABLE');
    if (!isRefused) this.#violations.push(`${mutation} was answered ${JSON.stringify(answer)}\n${node.said}`);
    return 'refused';
  }

  async #post(node: NodeProcess, sender: Sender, query: string, variables: JsonObject): Promise<unknown> {
    const response = await fetch(`${node.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(sender) },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(answerTime),
    });
    return response.json();
  }

  async #sql(statements: readonly Statement[]): Promise<keyof Count> {
    try {
      const client = await this.#db.pool.connect();
      let isBroken: Error | boolean = true;
      try {
        await client.query('BEGIN');
        for (const statement of statements) {
          if (typeof statement === 'string') await client.query(statement);
          else await client.query(statement.text, [...statement.values]);
        }
        await client.query('COMMIT');
        isBroken = false;
      } finally {
        client.release(isBroken);
      }
      return 'done';
    } catch (error) {
      const code = (error as { code?: string }).code ?? '';
      // A fault of the statement itself is this harness's own: syntax, types, names.
      if (/^(22|42)/.test(code)) this.#violations.push(`SQL failed: ${String(error)}`);
      return 'refused';
    }
  }

  /** Brings about what a round ends with, with changes that only a node which gets over it can know of. */
  async #part(parting: Parting): Promise<void> {
    const database = this.#db;
    switch (parting) {
      case 'half-open':
        await database.freezeListeners();
        await this.#lastChanges();
        break;
      case 'missed':
        await database.whileDeaf(async client => {
          for (const sql of lastChanges(this.#someUsers())) await client.query(sql);
        });
        break;
      case 'restart':
        await database.restart('shutdown', 200);
        await this.#lastChanges();
        break;
      case 'nodes':
        await Promise.all(this.#nodes.map(node => node.kill()));
        await this.#lastChanges();
        break;
      case 'restored':
        await this.#restored();
        break;
      case 'past':
        await database.pastTriggers(
          'feature_flags',
          'UPDATE feature_flags SET enabled = NOT enabled, percentage = 100 - percentage',
        );
        break;
      case 'quiet':
        await this.#lastChanges();
    }
    count(this.#faults, `round ended: ${parting}`).done += 1;
  }

  async #lastChanges(): Promise<void> {
    for (const sql of lastChanges(this.#someUsers())) await this.#db.pool.query(sql);
  }

  /** A backup takes the place of what every node has applied, in a history that has grown past it. */
  async #restored(): Promise<void> {
    const { pool } = this.#db;
    const restore = await this.#db.backup();
    // A new connection for each attempt: those from before are gone.
    const isBack = () => pool.query('SELECT 1').then(Boolean, () => false);
    await until(isBack, 'the database is back');
    await this.#lastChanges();
    await pool.query(
      `INSERT INTO feature_flags (key, name, enabled) VALUES ('lost', 'Lost', true) ON CONFLICT DO NOTHING`,
    );
    await this.#followed();
    await restore(...[1, 2, 3].flatMap(() => lastChanges(this.#someUsers())));
    await until(isBack, 'the database is back');
  }

  /** Resolves once every node stands at the head of the log. */
  async #followed(): Promise<void> {
    const { rows } = await this.#db.pool.query<{ head: string }>('SELECT revision AS head FROM feature_log_head');
    const head = Number(rows[0]?.head);
    for (const node of this.#nodes) {
      await until(async () => {
        const { revision } = (await (await fetch(`${node.url}/ready`)).json()) as { revision: number };
        return revision >= head;
      }, 'a node has followed');
    }
  }

  /** By the ids under which they are stored. */
  #someUsers(): string[] {
    return this.#random.some(this.#world.users, 10).map(storedUserId);
  }

  /** Everything is up and reads again, nothing is about to expire, and nothing has changed for a moment. */
  async #settle(): Promise<void> {
    const settled = sleep(calm);
    for (const node of this.#nodes) node.resume();
    for (const viewer of this.#viewers) viewer.resume();
    await Promise.all(this.#nodes.map(node => node.ensureUp()));
    await settled;
    await sleep(Math.max(0, this.#lastExpiry - Date.now()));
  }

  /** Milliseconds until every viewer has, and both nodes answer, what core/evaluate says of the stored rows. */
  async #converge(within: number): Promise<number> {
    const start = performance.now();
    const specs = this.#viewers.map(({ spec }) => spec);
    const asking = this.#random.some(this.#viewers, 10);
    for (;;) {
      const stored = await readStored(this.#db.pool, specs);
      const expected = (spec: ViewerSpec) => stored.answers(spec, Date.now());
      let wrong = this.#wrongViewers(expected);
      if (wrong.length === 0)
        wrong = (await Promise.all(this.#nodes.map(node => this.#wrongAnswers(node, asking, expected)))).flat();
      const time = performance.now() - start;
      this.#assertNothingViolated();
      this.#head = stored.head;
      if (wrong.length === 0) return time;
      if (time > within) {
        const what = `${within} ms after settling at revision ${stored.head}, ${wrong.length} of ${specs.length} viewers were wrong:`;
        throw new Error([what, ...wrong.slice(0, 5), ...this.#nodes.map(node => node.said)].join('\n'));
      }
      await sleep(50);
    }
  }

  #wrongViewers(expected: (spec: ViewerSpec) => Map<string, string>): string[] {
    return this.#viewers.flatMap(({ spec, snapshots, answers, revision }) => {
      const wrong = snapshots === 0 ? ['nothing received'] : differences(answers, expected(spec));
      return wrong.length === 0 ? [] : [`${spec.name} at revision ${revision}: ${wrong.join('; ')}`];
    });
  }

  /** Who asks rather than watches is answered the same. */
  async #wrongAnswers(
    node: NodeProcess,
    asking: readonly Viewer[],
    expected: (spec: ViewerSpec) => Map<string, string>,
  ): Promise<string[]> {
    const query = 'query ($keys: [String!]) { viewer { features(keys: $keys) { key enabled reason variant value } } }';
    type Told = Parameters<typeof answerText>[0] & { readonly key: string };
    type Answer = { data?: { viewer: { features: Told[] } } };
    const answers = await Promise.all(
      asking.map(async ({ spec }) => {
        const answer = (await this.#post(node, spec, query, { keys: spec.keys as string[] | null })) as Answer;
        const has = new Map(answer.data?.viewer.features.map(({ key, ...told }) => [key, answerText(told)]));
        const wrong = differences(has, expected(spec));
        return wrong.length === 0 ? [] : [`${spec.name} asking ${node.url}: ${wrong.join('; ')}`];
      }),
    );
    return answers.flat();
  }

  #assertNothingViolated(): void {
    const violations = [...this.#violations, ...this.#nodes.flatMap(({ deaths }) => deaths)];
    if (violations.length === 0) return;
    const said = this.#nodes.map(node => node.said);
    throw new Error(
      [`${violations.length} violations:`, ...violations.slice(0, 10), 'The nodes said:', ...said].join('\n'),
    );
  }
}

/** Changes that everybody, and in particular these users, get to see. */
function lastChanges(users: readonly string[]): string[] {
  const ids = `'{${users.join(',')}}'::uuid[]`;
  return [
    `INSERT INTO feature_flags (key, name, enabled) VALUES ('parting', 'Parting', true)
     ON CONFLICT (key) DO UPDATE SET enabled = NOT feature_flags.enabled`,
    `INSERT INTO users (id) SELECT unnest(${ids}) ON CONFLICT DO NOTHING`,
    `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) SELECT unnest(${ids}), 'parting', true
     ON CONFLICT (user_id, flag_key) DO UPDATE SET enabled = NOT feature_flag_overrides.enabled`,
    `UPDATE users SET attributes = attributes || '{"plan": "pro"}' WHERE id = ANY(${ids})`,
  ];
}

function count(counts: Map<string, Count>, name: string): Count {
  const known = counts.get(name) ?? { done: 0, refused: 0 };
  counts.set(name, known);
  return known;
}

/** The counts as a table for people. */
export function report(result: ChaosResult): string {
  const lines = (counts: ReadonlyMap<string, Count>) =>
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([name, { done, refused }]) =>
          `  ${name.padEnd(42)} ${String(done).padStart(6)}${refused > 0 ? ` and ${refused} refused` : ''}`,
      );
  const total = (counts: ReadonlyMap<string, Count>) =>
    [...counts.values()].reduce((sum, { done, refused }) => sum + done + refused, 0);
  const slowest = Math.round(Math.max(...result.convergence));
  return [
    `seed ${result.seed}: ${result.steps} steps in ${result.rounds} rounds, log at revision ${result.head}`,
    `${total(result.changes)} changes`,
    ...lines(result.changes),
    `${total(result.faults)} faults`,
    ...lines(result.faults),
    `${result.updates} updates, ${result.wholeSets} of them whole sets; right at most ${slowest} ms after settling`,
  ].join('\n');
}
