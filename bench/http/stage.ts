import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { PostgresServer } from '../../test/support/postgres-server.js';
import { createAdmin } from '../support/admin.js';
import { freePort } from '../support/free-port.js';
import { startUnleash, unleashFrontendToken } from '../support/unleash-server.js';
import { type BenchFlag, changingKey, mixedFlags } from './flags.js';
import { type ServerProcess, serverProcess, startServer } from './processes.js';
import { progress } from './progress.js';
import { mapQuery, viewerCount } from './requests.js';
import { sign, userId } from './tokens.js';
import { readUsers, storeUsers } from './users.js';

/** A server with its flags, which one of them can be changed on. */
export interface Staged {
  readonly server: ServerProcess;
  readonly flags: readonly BenchFlag[];
  /** Turns the flag that changes on or off, and waits for the answer. */
  change(enabled: boolean): Promise<unknown>;
}

export interface StagedHalyard extends Staged {
  /** Where operators ask, apart from the API. */
  readonly operatorPort: number;
  readonly databaseUrl: string;
}

const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** One PostgreSQL server and every server under measurement, each started when it is first asked for. */
export class Stage {
  readonly secret = randomBytes(32).toString('hex');
  readonly #admin = createAdmin(sign(this.secret, { role: 'admin' }));
  readonly #started = new Map<string, Promise<Staged>>();

  private constructor(readonly postgres: PostgresServer) {}

  static async open(): Promise<Stage> {
    return new Stage(await PostgresServer.start());
  }

  /** Halyard as it is installed, `halyard serve`, with so many flags and stored users. */
  halyard(flagCount: number, userCount: number): Promise<StagedHalyard> {
    return this.#once(`halyard_${flagCount}_${userCount}`, async name => {
      await this.postgres.query(`CREATE DATABASE ${name}`);
      const databaseUrl = this.postgres.url(name);
      const flags = mixedFlags(flagCount);
      const operatorPort = await freePort();
      const serve = () =>
        startServer(fileOf('../../dist/cli/main.js'), ['serve'], {
          DATABASE_URL: databaseUrl,
          AUTH_JWT_SECRET: this.secret,
          METRICS: String(operatorPort),
        });
      progress(`Halyard: ${flagCount} flags, ${userCount} users`);
      const first = await serve();
      const created = 'mutation($i: CreateFlagInput!) { createFlag(input: $i) { ... on Error { code } } }';
      for (const { definition } of flags) {
        await this.#admin(urlOf(first), created, { i: { name: definition.key, ...definition } });
      }
      await first.stop();
      const began = performance.now();
      await storeUsers(databaseUrl, userCount);
      progress(`stored ${userCount} users in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
      // A new node, because the cost of following so many changes is not measured.
      const server = await serve();
      const updated = 'mutation($i: UpdateFlagInput!) { updateFlag(input: $i) { ... on Error { code } } }';
      const change = (enabled: boolean) => this.#admin(urlOf(server), updated, { i: { key: changingKey, enabled } });
      return { server, flags, databaseUrl, operatorPort, change };
    });
  }

  /** unleash-server with these flags on the same PostgreSQL server. */
  unleash(flags: readonly BenchFlag[]): Promise<Staged> {
    return this.#once('unleash', async name => {
      progress('unleash-server');
      await this.postgres.query(`CREATE DATABASE ${name}`);
      const { child, port, manage } = await startUnleash(this.postgres.url(name), { NODE_ENV: 'production' });
      const server = serverProcess(child, port);
      for (const { definition, strategies } of flags) {
        const { key, enabled } = definition;
        await manage('POST', '', { name: key, type: 'release', impressionData: false });
        for (const { rollout, constraints } of strategies) {
          await manage('POST', `/${key}/environments/development/strategies`, {
            name: 'flexibleRollout',
            parameters: { rollout: String(rollout), stickiness: 'userId', groupId: key },
            constraints: constraints.map(constraint => ({ values: [], inverted: false, ...constraint })),
          });
        }
        if (enabled) await manage('POST', `/${key}/environments/development/on`);
      }
      const change = (enabled: boolean) =>
        manage('POST', `/${changingKey}/environments/development/${enabled ? 'on' : 'off'}`);
      return { server, flags, change };
    });
  }

  readonly unleashToken = unleashFrontendToken;

  /** One of the two bare servers, which always send one recorded answer of Halyard. */
  bare(kind: 'bare-node' | 'bare-yoga', halyard: StagedHalyard): Promise<Staged> {
    return this.#once(kind, async () => {
      progress(kind);
      const answer = await this.answerOf(halyard);
      const server = await startServer(fileOf(`./servers/${kind}.js`), [], { ANSWER: JSON.stringify(answer) });
      return { server, flags: halyard.flags, change: async () => {} };
    });
  }

  /** Halyard's answer to one viewer: headers that the server itself does not add, body, and the map in it. */
  async answerOf({ server }: StagedHalyard) {
    const response = await fetch(`${urlOf(server)}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${sign(this.secret, { sub: userId(1) })}` },
      body: JSON.stringify({ query: mapQuery }),
    });
    const body = await response.text();
    const own = ['date', 'connection', 'keep-alive', 'transfer-encoding'];
    const headers = Object.fromEntries([...response.headers].filter(([name]) => !own.includes(name)));
    const { data } = JSON.parse(body) as { data: { viewer: { featureMap: object } } };
    return {
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      body,
      map: data.viewer.featureMap,
    };
  }

  /** The viewers that send requests, as they are stored. */
  viewers({ databaseUrl }: StagedHalyard) {
    return readUsers(
      databaseUrl,
      Array.from({ length: viewerCount }, (_, i) => i),
    );
  }

  async close(): Promise<void> {
    const started = await Promise.allSettled(this.#started.values());
    await Promise.all(started.map(async one => (one.status === 'fulfilled' ? one.value.server.stop() : undefined)));
    await this.postgres.stop();
  }

  #once<T extends Staged>(name: string, start: (name: string) => Promise<T>): Promise<T> {
    const known = this.#started.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const starting = start(name);
    this.#started.set(name, starting);
    return starting;
  }
}

export function urlOf({ port }: ServerProcess): string {
  return `http://127.0.0.1:${port}`;
}
