/** Milliseconds of work on what clients send, after which all else in the process has a turn: timers, signals, pushes. */
const longestTurn = 10;
/** Tasks that are planned for one turn; they end earlier when its time is over. */
const tasksPerTurn = 64;
/** Rounds of the event loop between two turns with work, at most. */
const longestRest = 32;

/** Does a piece of what waits. Returns whether it has come to its end; otherwise it is called again in a later turn. */
export type Task = () => boolean;

/**
 * Shares the event loop among clients whose work waits. In each turn of the loop there are ten milliseconds for it; then all
 * else has a turn. The addresses take turns, and so do the tasks of an address.
 *
 * Node accepts one connection in each round of the loop. If each round had its work, a client that keeps the server busy and
 * connects a hundred times a second would keep all others from connecting. So as long as connections come, work rests for some
 * rounds, which take no time without it.
 */
export class Schedule {
  /** By address, in the order of their turns. */
  readonly #waiting = new Map<string, Task[]>();
  #size = 0;
  /** When others last had a turn, as `performance.now()` has it. */
  #since = 0;
  #isFirst = false;
  /** Whether a turn is planned. Each plans the next, until nothing waits. */
  #isPlanned = false;
  /** Connections that have been accepted, and how many of them when it was last looked. */
  #accepted = 0;
  #seen = 0;
  /** Rounds since the last turn with work. */
  #rests = 0;

  /** Whether work may be done at once: nothing waits, and the present turn has time left. */
  get hasTime(): boolean {
    return this.#size === 0 && performance.now() - this.#since < longestTurn;
  }

  /** A connection has been accepted. */
  countConnection(): void {
    this.#accepted += 1;
  }

  /** @param network whose turn it is to be, as `networkKey` names it. */
  add(network: string, task: Task): void {
    if (!this.#isPlanned) setImmediate(this.#turn);
    this.#isPlanned = true;
    this.#size += 1;
    const queue = this.#waiting.get(network);
    if (queue === undefined) this.#waiting.set(network, [task]);
    else queue.push(task);
  }

  readonly #turn = (): void => {
    if (this.#mayRest()) {
      setImmediate(this.#turn);
      return;
    }
    this.#isFirst = true;
    // Each task has a callback of its own: Node runs what a task has caused before it runs the next.
    const count = Math.min(this.#size, tasksPerTurn);
    for (let planned = 0; planned < count; planned += 1) setImmediate(this.#step);
    this.#isPlanned = count > 0;
    if (this.#isPlanned) setImmediate(this.#turn);
  };

  /** Whether the last round has accepted a connection, so that more may wait, and work has not rested for long. */
  #mayRest(): boolean {
    const hasAccepted = this.#accepted !== this.#seen;
    this.#seen = this.#accepted;
    this.#rests = hasAccepted && this.#rests < longestRest ? this.#rests + 1 : 0;
    return this.#rests > 0;
  }

  readonly #step = (): void => {
    if (this.#isFirst) this.#since = performance.now();
    else if (performance.now() - this.#since >= longestTurn) return;
    this.#isFirst = false;
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return;
    const [network, queue] = next;
    // To the end of the order.
    this.#waiting.delete(network);
    const task = queue.shift() as Task;
    if (queue.length > 0) this.#waiting.set(network, queue);
    const isOver = task();
    this.#size -= 1;
    if (!isOver) this.add(network, task);
  };
}
