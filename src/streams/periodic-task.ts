/**
 * Repeats work until it is stopped. The next delay begins when the work ends, so the work never overlaps itself. The timer
 * does not keep the process alive.
 */
export class PeriodicTask {
  readonly #work: () => Promise<void>;
  readonly #delay: () => number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  /**
   * @param work must not reject.
   * @param delay milliseconds from the end of the work to its next start.
   * @param firstDelay milliseconds until the work starts for the first time.
   */
  constructor(work: () => Promise<void>, delay: () => number, firstDelay = delay()) {
    this.#work = work;
    this.#delay = delay;
    this.#schedule(firstDelay);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Resolves when no work is running any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, delayMs).unref();
  }

  async #run(): Promise<void> {
    await this.#work();
    if (!this.#isStopped) this.#schedule(this.#delay());
  }
}
