/** Users that one request adds, so that progress is seen and a fault stops little. */
export const sliceSize = 500;

/** Longest user id, in code points. */
const longest = 255;
const notText = /[\p{Cc}\p{Cs}]/u;

export interface RefusedId {
  readonly id: string;
  /** Why it is no id: a sentence. */
  readonly fault: string;
}

/** What a pasted text holds. */
export interface PastedIds {
  /** Each once, in their order. */
  readonly ids: readonly string[];
  /** What can be no id of a user. Each once. */
  readonly refused: readonly RefusedId[];
  /** How many stand there again. */
  readonly repeated: number;
}

/** Ids of users, one a line or between commas, semicolons or tabs. A quote around an id is left out. */
export function pastedIds(text: string): PastedIds {
  const all = text
    .split(/[\n\r,;\t]+/)
    .map(id =>
      id
        .trim()
        .replace(/^"(.*)"$/, '$1')
        .trim(),
    )
    .filter(id => id !== '');
  const each = [...new Set(all)];
  const refused = each.flatMap(id => {
    const fault = idFault(id);
    return fault === null ? [] : [{ id, fault }];
  });
  const bad = new Set(refused.map(({ id }) => id));
  return { ids: each.filter(id => !bad.has(id)), refused, repeated: all.length - each.length };
}

/** Why a text without blanks at its ends can be no id: the same as the server says of it. Null: it can be one. */
function idFault(id: string): string | null {
  const length = [...id].length;
  if (length > longest) return `It has ${length} characters. An id has at most ${longest}.`;
  const code = notText.exec(id)?.[0].codePointAt(0);
  if (code === undefined) return null;
  return `It has the character U+${code.toString(16).toUpperCase().padStart(4, '0')}, which is no text.`;
}

export function slicesOf<T>(list: readonly T[], size = sliceSize): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
