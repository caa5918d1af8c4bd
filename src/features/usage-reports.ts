/** Milliseconds in which a caller's report of a flag counts once. */
export const reportInterval = 60_000;
/** The most pairs of a caller and a flag that are remembered. Further reports count after the minute is over. */
export const maxRememberedReports = 50_000;

/** Remembers who has reported which flags in this minute, so that no caller can count a flag more than once in it. */
export class UsageReports {
  readonly #keysByCaller = new Map<string, Set<string>>();
  #size = 0;
  #endsAt = 0;

  /**
   * The keys whose reports count now.
   * @param caller names the caller.
   * @param keys of flags that exist: others would be remembered in any number.
   * @param time milliseconds of a clock that nobody sets.
   */
  accept(caller: string, keys: readonly string[], time: number): string[] {
    if (time >= this.#endsAt) {
      this.#keysByCaller.clear();
      this.#size = 0;
      this.#endsAt = time + reportInterval;
    }
    const reported = this.#keysByCaller.get(caller) ?? new Set();
    const accepted = [...new Set(keys)]
      .filter(key => !reported.has(key))
      .slice(0, Math.max(0, maxRememberedReports - this.#size));
    if (accepted.length === 0) return [];
    for (const key of accepted) reported.add(key);
    this.#keysByCaller.set(caller, reported);
    this.#size += accepted.length;
    return accepted;
  }
}
