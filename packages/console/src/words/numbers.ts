/** A thin space that does not break, before a percent sign. */
const thinSpace = '\u202f';

const formats = new Map<string, Intl.NumberFormat>();

function format(locale: string | undefined, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  const known = formats.get(key) ?? new Intl.NumberFormat(locale, options);
  formats.set(key, known);
  return known;
}

/** A whole number in the reader's writing: `1,204`. */
export function count(value: number, locale?: string): string {
  return format(locale, { maximumFractionDigits: 0 }).format(value);
}

/** A percentage as it is stored, with at most two decimals: `25 %`. */
export function percent(value: number, locale?: string): string {
  return `${format(locale, { maximumFractionDigits: 2 }).format(value)}${thinSpace}%`;
}

/** A measured share, in whole percent. Never 0 % for somebody and never 100 % for not everybody. */
export function share(part: number, whole: number, locale?: string): string {
  if (whole <= 0 || part <= 0) return percent(0, locale);
  if (part >= whole) return percent(100, locale);
  const exact = (part / whole) * 100;
  if (exact < 1) return `< ${percent(1, locale)}`;
  if (exact > 99) return `> ${percent(99, locale)}`;
  return percent(Math.round(exact), locale);
}

/** `1 user`, `2 users`. */
export function plural(value: number, one: string, many = `${one}s`, locale?: string): string {
  return `${count(value, locale)} ${value === 1 ? one : many}`;
}

/** `512 viewers gain it, 96 lose it`; both numbers are told even if they are 0. */
export function gainsAndLoses(gain: number, lose: number, isComplete: boolean, locale?: string): string {
  const atLeast = isComplete ? '' : 'at least ';
  const gains = `${atLeast}${plural(gain, 'viewer', 'viewers', locale)} ${gain === 1 ? 'gains' : 'gain'} it`;
  return `${gains}, ${atLeast}${count(lose, locale)} ${lose === 1 ? 'loses' : 'lose'} it`;
}

/** Milliseconds: `38 ms`, `1.2 s`. */
export function duration(milliseconds: number, locale?: string): string {
  if (milliseconds < 1000) return `${count(milliseconds, locale)} ms`;
  return `${format(locale, { maximumFractionDigits: 1 }).format(milliseconds / 1000)} s`;
}
