/** Wakes one reader. However often it is rung between two waits, it wakes the reader once. */
export class Bell {
  #isRung = false;
  #isEnded = false;
  #wake: ((isRung: boolean) => void) | null = null;

  ring(): void {
    if (this.#wake === null) this.#isRung = true;
    else this.#settle(true);
  }

  /** Wakes the reader for the last time. */
  end(): void {
    this.#isEnded = true;
    this.#settle(false);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Resolves with true when it is rung, or has been since the last wait; with false when it has ended. One wait at a time. */
  wait(): Promise<boolean> {
    if (this.#isEnded) return Promise.resolve(false);
    if (this.#isRung) {
      this.#isRung = false;
      return Promise.resolve(true);
    }
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }

  #settle(isRung: boolean): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.(isRung);
  }
}
