/**
 * Limits of all operators in one flag's conditions that search in texts or read them, together. They keep the slowest evaluation of a
 * flag at a few milliseconds. docs/decisions/0016 has the measurements.
 */
export const searchLimits = {
  /** Length of all patterns, in UTF-16 code units: the cost of compiling them. */
  patternCharacters: 1_000,
  /** Size of the programs of all patterns: the cost for each character of a text. */
  patternSteps: 300,
  /** Texts that `contains` and `not_contains` look for. */
  searchedTexts: 100,
  /** Operators that read dates, versions or addresses, also each element of a list. */
  readings: 100,
} as const;

type Cost = keyof typeof searchLimits;

const count = (number: number) => number.toLocaleString('en');

const messages: { readonly [cost in Cost]: (found: string, limit: string) => string } = {
  patternCharacters: (found, limit) =>
    `The patterns of one flag may have ${limit} characters together; with this one they have ${found}. ` +
    'Use "in", "contains", "starts_with" or "ends_with" in place of patterns that list texts.',
  patternSteps: (found, limit) =>
    `The patterns of one flag may have ${limit} steps together, counted repetitions unrolled; with this one they have ${found}. ` +
    'Use "+" or "*" in place of large counts, and "in", "contains" or "ends_with" in place of lists of texts.',
  searchedTexts: (found, limit) =>
    `The operators "contains" and "not_contains" of one flag may look for ${limit} texts together; with these they look for ${found}. ` +
    'Use "in" for whole values, also of a list, and "starts_with" or "ends_with" for the beginning or the end.',
  readings: (found, limit) =>
    `One flag may have ${limit} operators on dates, versions and addresses; with this one it has ${found}. ` +
    'Use one operator with a list of ranges, or a group.',
};

/** The part of {@link searchLimits} that the conditions of one flag have spent. */
export class SearchBudget {
  readonly #spent: { [cost in Cost]: number } = {
    patternCharacters: 0,
    patternSteps: 0,
    searchedTexts: 0,
    readings: 0,
  };

  /** Spends an amount. False if that exceeds the limit; `report` then got the fault. */
  spend(cost: Cost, amount: number, report: (message: string) => void): boolean {
    const limit = searchLimits[cost];
    const found = this.#spent[cost] + amount;
    this.#spent[cost] = found;
    if (found <= limit) return true;
    report(messages[cost](count(found), count(limit)));
    return false;
  }
}
