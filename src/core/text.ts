/** A regular expression that runs only over texts of a bounded length. */
export interface BoundedPattern {
  /** Whether the text matches. False for a text that is too long. */
  test(text: string): boolean;
  /** The match. Null when there is none, and for a text that is too long. */
  exec(text: string): RegExpExecArray | null;
}

/**
 * Bounds a regular expression. The time of a match can grow with the square of the text, so no expression may run over a
 * caller's text of unlimited length. test/regular-expressions.test.ts checks this.
 *
 * @param pattern without the flags `g` and `y`, which would make it keep a position.
 * @param maxLength the longest text to look at, in UTF-16 code units; a longer one does not match.
 */
export function bounded(pattern: RegExp, maxLength: number): BoundedPattern {
  return {
    test: text => text.length <= maxLength && pattern.test(text),
    exec: text => (text.length <= maxLength ? pattern.exec(text) : null),
  };
}

/**
 * A reader that keeps its last answer: the flags of an account read the same few attributes of one user, one after the other.
 *
 * @param read depends on the text alone, and returns what nobody changes.
 * @param longest the longest text that is kept with its answer, in UTF-16 code units. The engine may keep a text that it was cut from, such
 * as a document of GraphQL, for as long.
 */
export function keepingLast<T>(read: (text: string) => T, longest: number): (text: string) => T {
  let last: { readonly text: string; readonly answer: T } | null = null;
  return text => {
    if (last !== null && last.text === text) return last.answer;
    const answer = read(text);
    if (text.length <= longest) last = { text, answer };
    return answer;
  };
}

/** Longest name of an attribute or a group, in characters (code points). */
export const maxNameLength = 100;

/** Whether a database can store a text unchanged: it has no NUL and no half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** The message for a text that is not {@link isStorable}. */
export const unstorableText = 'The text has a NUL character or half of a surrogate pair, which cannot be stored.';

/** Whether a text has more than this number of characters (code points). Does not read all of a very long text. */
export function isLongerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  return text.length > 2 * characters || [...text].length > characters;
}

/** Whether a text may name an attribute or a group: 1 to 100 characters that can be stored. */
export function isName(text: string): boolean {
  return text !== '' && !isLongerThan(text, maxNameLength) && isStorable(text);
}

/**
 * A text without upper and lower case, for comparisons that ignore it: the lower case of each character in Unicode, in no language's
 * own way, with the final sigma `ς` as `σ`. So it does not depend on the characters around. It is never shorter than the text.
 */
export function foldCase(text: string): string {
  const lower = text.toLowerCase();
  return lower.includes('ς') ? lower.replaceAll('ς', 'σ') : lower;
}

/** Longest part of the input that an error repeats, in UTF-16 code units. */
export const maxEchoLength = 200;

/**
 * A text in the form for an error: a long text keeps its beginning and its end, with `…` between. A surrogate pair is kept
 * whole or left out.
 *
 * @param max the maximum length of the result, in UTF-16 code units; at least 3.
 */
export function shortened(text: string, max = maxEchoLength): string {
  if (text.length <= max) return text;
  const head = Math.ceil((max - 1) / 2);
  const tail = text.length - Math.floor((max - 1) / 2);
  return `${text.slice(0, splitsPair(text, head) ? head - 1 : head)}…${text.slice(splitsPair(text, tail) ? tail + 1 : tail)}`;
}

/** Whether a cut before this code unit would split a surrogate pair. */
function splitsPair(text: string, at: number): boolean {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff;
}

/** Sorts by code points, as a database with the collation "C" does; by code units an emoji would come before `\uFF5E`. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, index) => character !== right[index]);
  if (at === -1) return -1;
  return (left[at]?.codePointAt(0) ?? -1) - (right[at]?.codePointAt(0) ?? -1);
}
