/** What arrives is kept until it is asked for, so that a test cannot lose a message however late it looks. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: { resolve(item: T): void; reject(error: Error): void }[] = [];
  #end: Error | null = null;

  /** How many have arrived and were not asked for yet. */
  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(item);
    else this.#items.push(item);
  }

  /** No more will come. Who waits is told why. */
  end(reason: Error): void {
    if (this.#end) return;
    this.#end = reason;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(reason);
  }

  /** The next that arrives. Rejects when none comes in time, or none will come. */
  next(timeoutMs = 5_000): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        const index = this.#waiting.indexOf(waiter);
        if (index >= 0) this.#waiting.splice(index, 1);
      };
      const waiter = {
        resolve(item: T) {
          settle();
          resolve(item);
        },
        reject(error: Error) {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.reject(new Error(`Nothing arrived within ${timeoutMs} ms.`)), timeoutMs);
      this.#waiting.push(waiter);
    });
  }
}
