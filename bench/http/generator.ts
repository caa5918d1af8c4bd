// The load generator, in a process of its own: prepared requests over raw sockets, so that it can do more than any server
// that it measures.
import { type Answer, Connection } from './connection.js';
import { Latencies } from './latencies.js';
import type { FromGenerator, LoadPlan, Measured, Sample, Second } from './load-plan.js';
import { sign, userId } from './tokens.js';

/** So many answers are handed back to be checked. */
const maxSamples = 200;
const tick = 2;

const tell = (message: FromGenerator) => process.send?.(message);

/** Prepared requests in turn, or one made for a random user each time. */
function requestsOf({ requests }: LoadPlan): () => { request: Buffer; user: number } {
  if (requests.kind === 'each') {
    const { texts, counter } = requests;
    const prepared = texts.map((text, user) => ({ request: Buffer.from(text), user }));
    let next = 0;
    return () => {
      const turn = next++;
      const one = prepared[turn % prepared.length] as (typeof prepared)[number];
      if (counter === undefined) return one;
      // A copy: the one before may still be on its way.
      const request = Buffer.from(one.request);
      request.write(String(turn).padStart(counter.length, '0'), request.lastIndexOf(counter), 'latin1');
      return { request, user: one.user };
    };
  }
  const { users, secret, beforeToken, afterToken } = requests;
  return () => {
    const user = Math.floor(Math.random() * users);
    return { request: Buffer.from(beforeToken + sign(secret, { sub: userId(user) }) + afterToken), user };
  };
}

class Run {
  readonly #latencies = new Latencies();
  readonly #ofThisSecond = new Latencies();
  readonly #nextRequest: ReturnType<typeof requestsOf>;
  readonly #connections: Connection[] = [];
  #idle: Connection[] = [];
  #samples: Sample[] = [];
  #seconds: Second[] = [];
  #statuses: Record<string, number> = {};
  #sent = 0;
  #broken = 0;
  #turnedAway = 0;
  #isOver = false;

  constructor(readonly plan: LoadPlan) {
    this.#nextRequest = requestsOf(plan);
  }

  async measure(): Promise<Measured> {
    const { warmup, seconds, rate, connections } = this.plan;
    this.#stayAwake();
    const arrivals = rate === null ? null : this.#startArrivals(rate);
    if (arrivals === null) for (let i = 0; i < connections; i += 1) this.#goOn(this.#open());
    await delay(warmup * 1_000);
    this.#forget();
    tell({ kind: 'started' });
    const started = performance.now();
    const eachSecond = setInterval(() => this.#endSecond(), 1_000);
    await delay(seconds * 1_000);
    const milliseconds = performance.now() - started;
    clearInterval(eachSecond);
    if (this.#seconds.length < seconds) this.#endSecond();
    clearInterval(arrivals ?? undefined);
    this.#isOver = true;
    const measured: Measured = {
      seconds: milliseconds / 1_000,
      answers: this.#latencies.count,
      p50: this.#latencies.quantile(0.5),
      p99: this.#latencies.quantile(0.99),
      statuses: this.#statuses,
      sent: this.#sent,
      broken: this.#broken,
      turnedAway: this.#turnedAway,
      perSecond: this.#seconds,
      samples: this.#samples,
    };
    for (const connection of this.#connections) connection.close();
    return measured;
  }

  /**
   * A process that sleeps is woken by the process that sends to it, and the server pays for that: in a virtual machine with
   * as much as the rest of a small answer costs. Only those pay whose answers come slowly enough for a nap.
   */
  #stayAwake(): void {
    if (!this.#isOver) setImmediate(() => this.#stayAwake());
  }

  #open(): Connection {
    const connection = new Connection(this.plan.port, () => {
      this.#broken += 1;
    });
    this.#connections.push(connection);
    return connection;
  }

  /** Requests that come at a fixed rate, whatever the answers: on an idle connection, a new one, or not at all. */
  #startArrivals(rate: number): NodeJS.Timeout {
    const started = performance.now();
    let arrived = 0;
    return setInterval(() => {
      const due = Math.floor(((performance.now() - started) / 1_000) * rate);
      for (; arrived < due; arrived += 1) {
        const connection =
          this.#idle.pop() ?? (this.#connections.length < this.plan.connections ? this.#open() : undefined);
        if (connection === undefined) this.#turnedAway += 1;
        else this.#send(connection, () => this.#idle.push(connection));
      }
    }, tick);
  }

  #goOn(connection: Connection): void {
    this.#send(connection, answer => {
      if (this.#isOver) return;
      // A server that refuses connections is asked again soon, not at once.
      if (answer === null) setTimeout(() => this.#goOn(connection), 10);
      else this.#goOn(connection);
    });
  }

  #send(connection: Connection, done: (answer: Answer | null) => void): void {
    const { request, user } = this.#nextRequest();
    this.#sent += 1;
    const isSample = this.#sent % this.plan.sampleEvery === 0 && this.#samples.length < maxSamples;
    connection.send(request, isSample, answer => {
      if (answer !== null) this.#count(answer, user);
      done(answer);
    });
  }

  #count({ status, milliseconds, body }: Answer, user: number): void {
    this.#latencies.add(milliseconds);
    this.#ofThisSecond.add(milliseconds);
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (body !== null) this.#samples.push({ user, body });
  }

  #endSecond(): void {
    const { count: answers } = this.#ofThisSecond;
    this.#seconds.push({ answers, p50: this.#ofThisSecond.quantile(0.5), p99: this.#ofThisSecond.quantile(0.99) });
    this.#ofThisSecond.clear();
  }

  #forget(): void {
    this.#latencies.clear();
    this.#ofThisSecond.clear();
    this.#samples = [];
    this.#seconds = [];
    this.#statuses = {};
    this.#sent = this.#broken = this.#turnedAway = 0;
  }
}

const delay = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds));

process.on('message', async (plan: LoadPlan) => {
  const measured = await new Run(plan).measure();
  tell({ kind: 'measured', measured });
});
tell({ kind: 'ready' });
