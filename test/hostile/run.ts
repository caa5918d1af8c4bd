import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken } from '../../src/auth/token.js';
import type { ServerLimits } from '../../src/server/server.js';
import { inTime } from '../chaos/in-time.js';
import { NodeProcess, type Sample } from '../chaos/node-process.js';
import { Random } from '../chaos/random.js';
import { ownAddresses } from './addresses.js';
import { allowedHeap, leftInTheEnd, leftOver } from './aftermath.js';
import { type Act, type Attack, drawsOf, isExpected, type Scale } from './attack.js';
import { fillMemories } from './fill.js';
import { Honest } from './honest.js';
import { linger } from './lingering.js';
import { refusedPlaces } from './places.js';
import { Probe } from './probe.js';
import { Findings, type HostileResult } from './report.js';
import { Stage } from './stage.js';
import { Turns } from './turns.js';

export interface HostileOptions {
  readonly seed: number;
  readonly attacks: readonly Attack[];
  /** Without any there are no changes either. */
  readonly viewers: number;
  /** How many attacks are under way at a time, each from an address of its own. */
  readonly lanes: number;
  /** Milliseconds of attacks, the first round among them. 0: each kind once. */
  readonly duration: number;
  readonly scale: Scale;
  readonly limits: Partial<ServerLimits>;
  /** What an address may hold open; more than the viewers. */
  readonly connectionsPerAddress: number;
  /** Milliseconds that a settled state may take to come about. */
  readonly settleTime: number;
  /** Looks after every single attack whether anything is left of it. */
  readonly isStepwise?: boolean;
  /** Also judges the heap, and how long things took. */
  readonly isMeasured?: boolean;
  /** The program of the server. Default: the one from the sources. */
  readonly entry?: string;
  readonly log?: (line: string) => void;
}

const secret = '0123456789abcdef0123456789abcdef';
const key = new TextEncoder().encode(secret);

/** Milliseconds within which the server must answer a probe, and have ended when asked to. */
const longestWait = 5_000;
/** Megabytes of heap beyond which the server dies, rather than the machine it runs on. */
const heapLimit = 1_024;
/** Milliseconds after which no attack is begun any more, in a run that takes each kind once. */
const roundTime = 180_000;
/** Milliseconds that one attack may take, whatever it waits for. */
const attackTime = 80_000;
/** Milliseconds between two looks. */
const lookInterval = 100;

/** Attacks a server, and says what it found. Rejects only when the server does not start. */
export async function runHostile(options: HostileOptions): Promise<HostileResult> {
  const run = new HostileRun(options);
  try {
    await run.begin();
    await run.run();
  } finally {
    await run.stop();
  }
  return run.findings.result();
}

class HostileRun {
  readonly findings: Findings;
  readonly #options: HostileOptions;
  readonly #random: Random;
  readonly #turns = new Turns();
  readonly #stages = new Set<Stage>();
  #node: NodeProcess | null = null;
  #honest: Honest | null = null;
  #probe: Probe | null = null;
  #addresses: readonly string[] = [];
  #attacked = false;

  constructor(options: HostileOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.findings = new Findings(options.seed);
  }

  async begin(): Promise<void> {
    const { viewers, lanes, limits, connectionsPerAddress, entry } = this.#options;
    const { findings } = this;
    this.#addresses = await ownAddresses(lanes);
    this.#node = await NodeProcess.start(
      {
        NODE_ENV: 'production',
        FEATURE_BACKEND: 'memory',
        AUTH_JWT_SECRET: secret,
        LOG_LEVEL: 'warn',
        // Less than all who come, so that as many are kept in the end as in the beginning.
        FEATURE_CACHE_SIZE: '1000',
        CORS_ORIGINS: 'https://app.example.com',
        MAX_CONNECTIONS_PER_ADDRESS: String(this.#hasAddresses ? connectionsPerAddress : 0),
      },
      { limits },
      { heapLimit, onSaid: text => findings.said(text), ...(entry === undefined ? {} : { entry }) },
    );
    const { url } = this.#node;
    this.#honest = await Honest.draw({
      url,
      random: this.#random.fork(),
      key,
      adminToken: await mintToken(key, { role: 'ADMIN', userId: null, expiresInSeconds: 86_400 }),
      viewers,
      violated: what => findings.violated('honest', what),
    });
    this.#honest.come();
  }

  async run(): Promise<void> {
    const { isMeasured = false, log } = this.#options;
    const { findings } = this;
    const honest = this.#honest as Honest;
    const node = this.#node as NodeProcess;
    await this.#holds('viewers without their first answers', async () => (honest.isWatching ? [] : ['some']));
    const probe = new Probe(node.url, what => findings.violated('probe', what));
    this.#probe = probe;
    // Its connection is there from now on.
    await this.#holds('probe', async () => (probe.questions > 1 ? [] : ['no answer']));
    const before = await this.#sample();
    if (before === null) return;
    if (honest.viewers.length > 0) honest.beginChanges();
    const baseline = await this.#attack(before);

    log?.('the attacks are over');
    await inTime(honest.endChanges(), 'the last change').catch(error => findings.violated('honest', String(error)));
    await this.#holds('honest', () => honest.wrong());
    await this.#holds('aftermath', async () => {
      const sample = await node.sample();
      findings.settled(baseline, sample.heapUsed);
      return leftOver(before, sample, baseline === null ? null : allowedHeap(baseline));
    });
    await this.#checkPlaces();
    await this.#holds('aftermath', async () => leftOver(before, await this.#counts(), null));
    await probe.stop();
    findings.probed(probe);
    if (isMeasured && probe.longest > longestWait) findings.violated('probe', `waited ${Math.round(probe.longest)} ms`);
    await honest.leave();
    await this.#holds('the end', async () => leftInTheEnd(await node.sample()));
  }

  /** Asks the server to end among clients that hold on, and ends everything. */
  async stop(): Promise<void> {
    const { findings } = this;
    const node = this.#node;
    await this.#probe?.stop();
    await this.#honest?.leave();
    if (node !== null) {
      if (node.isUp && this.#attacked) {
        await this.#on(0, stage => inTime(linger(stage), 'clients that linger'), false).catch(error =>
          findings.violated('stop', String(error)),
        );
      }
      findings.ended(node.deaths, await node.stop(), this.#options.isMeasured ? longestWait : null);
    }
    await Promise.all([...this.#stages].map(stage => stage.leave()));
  }

  /** Every kind once, and then as it comes. Returns what the heap was after a third of the time; null: not measured. */
  async #attack(before: Sample): Promise<number | null> {
    const { duration, attacks, isMeasured = false, log } = this.#options;
    this.#attacked = true;
    const watching = new AbortController();
    const watched = this.#watchHeap(watching.signal);
    if (isMeasured) await this.#on(0, stage => fillMemories(stage, count => this.#userIds(count)));
    const start = performance.now();
    const until = (end: number) => () => (performance.now() < start + end ? this.#random.weighted(attacks) : undefined);
    const round = this.#random.some(attacks, attacks.length);
    const roundEnd = start + Math.max(duration, roundTime);
    await this.#lanes(() => (performance.now() < roundEnd ? round.shift() : undefined));
    if (round.length > 0) this.findings.violated('time', `${round.length} kinds of attacks were not begun`);
    log?.(`each kind once: ${this.findings.acts} attacks`);
    let baseline: number | null = null;
    if (duration > 0) {
      await this.#lanes(until(duration / 3));
      await this.#holds('aftermath', async () => leftOver(before, await this.#counts(), null));
      baseline = isMeasured ? ((await this.#sample())?.heapUsed ?? null) : null;
      await this.#lanes(until(duration));
    }
    watching.abort();
    await watched;
    return baseline;
  }

  async #lanes(next: () => Attack | undefined): Promise<void> {
    const node = this.#node as NodeProcess;
    const lane = async (index: number) => {
      for (let attack = next(); attack !== undefined && node.isUp; attack = next()) {
        // What is drawn depends on the seed alone; how far the drawing gets depends on the machine.
        const drawn = attack.draw(drawsOf(this.#random.fork(), this.#options.scale));
        const { isAlone = false } = attack;
        await this.#turns.take(isAlone, () => this.#perform(attack as Attack, drawn, index));
      }
    };
    await Promise.all(Array.from({ length: this.#options.lanes }, (_, index) => lane(index)));
  }

  async #perform(attack: Attack, drawn: Act, lane: number): Promise<void> {
    const { isStepwise = false } = this.#options;
    const before = isStepwise ? await this.#sample('counts') : null;
    if (isStepwise) this.findings.current = attack.name;
    let outcome: string;
    try {
      outcome = await this.#on(lane, stage => inTime(drawn.run(stage), 'the attack to end', attackTime));
    } catch (error) {
      outcome = `wrong: ${(error as Error).message}`;
    }
    this.findings.came(attack, drawn, outcome, isExpected(attack, outcome));
    if (before === null) return;
    await this.#holds(attack.name, async () => leftOver(before, await this.#counts(), null));
  }

  /** On a stage that is cleared afterwards, unless it is to stay as it is. */
  async #on<T>(lane: number, work: (stage: Stage) => Promise<T>, isCleared = true): Promise<T> {
    const node = this.#node as NodeProcess;
    const address = this.#addresses[lane % this.#addresses.length] as string;
    const stage = new Stage({ port: node.port, address, scale: this.#options.scale, key, sample: () => node.sample() });
    this.#stages.add(stage);
    try {
      return await work(stage);
    } finally {
      if (isCleared) {
        await stage.leave();
        this.#stages.delete(stage);
      }
    }
  }

  /** Each address can hold as much as before: no place was lost. */
  async #checkPlaces(): Promise<void> {
    const { connectionsPerAddress } = this.#options;
    if (!this.#hasAddresses || this.#node?.isUp !== true) return;
    for (const [lane, address] of this.#addresses.entries()) {
      const refused = await this.#on(lane, stage => refusedPlaces(stage, connectionsPerAddress)).catch(String);
      if (refused !== 0) {
        const places = `of the ${connectionsPerAddress} places of ${address}, which holds nothing, are taken`;
        this.findings.violated('places', `${refused} ${places}`);
      }
    }
  }

  /** Looks until nothing is wrong; what is wrong in the end is a finding. */
  async #holds(what: string, look: () => Promise<readonly string[]>): Promise<void> {
    const end = performance.now() + this.#options.settleTime;
    for (;;) {
      if (this.#node?.isUp !== true) return;
      const wrong = await inTime(look(), 'the server to be looked at', 20_000).catch(error => [String(error)]);
      if (wrong.length === 0) return;
      if (performance.now() > end) return this.findings.violated(what, wrong.slice(0, 5).join('; '));
      await sleep(lookInterval);
    }
  }

  #counts(): Promise<Sample> {
    return (this.#node as NodeProcess).sample('counts');
  }

  /** Null, which is a finding, when the server does not say. */
  async #sample(what: 'counts' | 'everything' = 'everything'): Promise<Sample | null> {
    const node = this.#node as NodeProcess;
    return inTime(node.sample(what), 'the server to say what it holds', 20_000).catch(error => {
      this.findings.violated('process', String(error));
      return null;
    });
  }

  async #watchHeap(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#node?.isUp === true) {
      const sample = await this.#node.sample('counts').catch(() => null);
      if (sample !== null) this.findings.saw(sample);
      await sleep(1_000, undefined, { signal }).catch(() => undefined);
    }
  }

  #userIds(count: number): readonly string[] {
    return Array.from({ length: count }, () => this.#random.uuid());
  }

  get #hasAddresses(): boolean {
    return this.#addresses.length > 1;
  }
}
