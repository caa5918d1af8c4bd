const unstorable = /[\0\p{Surrogate}]/u;

/** Longest name of an attribute or a group, in characters (code points). */
export const maxNameLength = 100;

/** Whether a database can keep a text and give it back the same: no NUL and no half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return !unstorable.test(text);
}

/** Whether a text may name an attribute or a group: 1 to 100 characters that can be stored. */
export function isName(text: string): boolean {
  if (text === '' || text.length > 2 * maxNameLength || !isStorable(text)) return false;
  return text.length <= maxNameLength || [...text].length <= maxNameLength;
}
