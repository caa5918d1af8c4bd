const unstorable = /[\0\p{Surrogate}]/u;

/** Longest name of an attribute or a group, in characters (code points). */
export const maxNameLength = 100;

/** Whether a database can keep a text and give it back the same: no NUL and no half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return !unstorable.test(text);
}

/** What to say of a text that is not {@link isStorable}. */
export const unstorableText = 'The text has a NUL character or half of a surrogate pair, which cannot be stored.';

/** Whether a text may name an attribute or a group: 1 to 100 characters that can be stored. */
export function isName(text: string): boolean {
  if (text === '' || text.length > 2 * maxNameLength || !isStorable(text)) return false;
  return text.length <= maxNameLength || [...text].length <= maxNameLength;
}

/** Sorts by code points, as a database with the collation "C" does; by code units an emoji would come before `\uFF5E`. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, index) => character !== right[index]);
  if (at === -1) return -1;
  return (left[at]?.codePointAt(0) ?? -1) - (right[at]?.codePointAt(0) ?? -1);
}

/** A text of at most `max` UTF-16 code units: of a longer one its beginning and its end, with an ellipsis between. */
export function shortened(text: string, max = 200): string {
  if (text.length <= max) return text;
  const head = Math.ceil((max - 1) * 0.6);
  return `${text.slice(0, head)}…${text.slice(head - max + 1)}`.toWellFormed();
}
