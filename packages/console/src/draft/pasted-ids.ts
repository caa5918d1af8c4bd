/** Users that one request adds, so that progress is seen and a fault stops little. */
export const sliceSize = 1_000;

/** The ids in a pasted text, one a line or between commas, semicolons or tabs. Each once. A quote around an id is left out. */
export function pastedIds(text: string): readonly string[] {
  const ids = text.split(/[\n\r,;\t]+/).map(id => id.trim().replace(/^"(.*)"$/, '$1'));
  return [...new Set(ids.filter(id => id !== ''))];
}

export function slicesOf<T>(list: readonly T[], size = sliceSize): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
