/** Lets work go on side by side, and some of it alone. In the order in which it comes. */
export class Turns {
  #door: Promise<void> = Promise.resolve();
  #running = 0;
  #onIdle = () => {};

  async take<T>(isAlone: boolean, work: () => Promise<T>): Promise<T> {
    const before = this.#door;
    let open = () => {};
    this.#door = new Promise(resolve => {
      open = resolve;
    });
    await before;
    if (isAlone) await this.#idle();
    else open();
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#onIdle();
      open();
    }
  }

  #idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.#onIdle = resolve;
    });
  }
}
