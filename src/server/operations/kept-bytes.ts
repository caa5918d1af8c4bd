/**
 * About how many bytes of memory a JSON value takes: 24 a value, and two for each character of a text or a name. Walks
 * without calling itself, so that no nesting is too deep.
 */
export function keptBytes(value: unknown): number {
  let bytes = 0;
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const next = rest.pop();
    bytes += 24;
    if (typeof next === 'string') bytes += 2 * next.length;
    else if (Array.isArray(next)) {
      bytes += 16;
      for (const element of next) rest.push(element);
    } else if (typeof next === 'object' && next !== null) {
      bytes += 32;
      for (const [name, member] of Object.entries(next)) {
        bytes += 16 + 2 * name.length;
        rest.push(member);
      }
    }
  }
  return bytes;
}
