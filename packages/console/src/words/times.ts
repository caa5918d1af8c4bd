const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** The largest unit of which there is at least one. */
const units: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', day],
  ['hour', hour],
  ['minute', minute],
];

type Time = string | number | Date;

const ms = (time: Time) => new Date(time).getTime();

/** Relative within a week, else the date: `5 minutes ago`, `in 6 days`, `26 Nov 2026`. Within half a minute: `just now`. */
export function relative(time: Time, now: Time, locale?: string): string {
  const distance = ms(time) - ms(now);
  const size = Math.abs(distance);
  if (size < minute / 2) return distance > 0 ? 'in a moment' : 'just now';
  if (size >= 7 * day) return date(time, locale);
  const [unit, length] = units.find(([, length]) => size >= length) ?? ['minute', minute];
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'always' });
  return words.format(Math.sign(distance) * Math.max(1, Math.round(size / length)), unit);
}

/** The exact instant in the reader's zone, for a tooltip: `26 November 2026 at 10:41:07.214 UTC`. */
export function exact(time: Time, locale?: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    timeZoneName: 'short',
    timeZone,
  } as Intl.DateTimeFormatOptions).format(ms(time));
}

/** The date and the minute in the reader's zone, where a time stands in a text: `30 Nov 2026, 18:00`. */
export function moment(time: Time, locale?: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone }).format(ms(time));
}

/** The date in the reader's zone: `30 Nov 2026`. */
export function date(time: Time, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(ms(time));
}

/** The time of day: `10:42`. */
export function clock(time: Time, locale?: string, withSeconds = false): string {
  const seconds = withSeconds ? ({ second: '2-digit' } as const) : {};
  return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', ...seconds }).format(ms(time));
}

/** When something ends: `ends in 6 days`, `no end`, `ended 2 hours ago`. */
export function ending(time: Time | null | undefined, now: Time, locale?: string): string {
  if (time === null || time === undefined) return 'no end';
  const hasEnded = ms(time) <= ms(now);
  if (Math.abs(ms(time) - ms(now)) < 7 * day) return `${hasEnded ? 'ended' : 'ends'} ${relative(time, now, locale)}`;
  return `${hasEnded ? 'ended' : 'ends'} on ${relative(time, now, locale)}`;
}

/** The last minute of a field: without it, a year may get six digits, which is no time to anybody else. */
export const latestMinute = '9999-12-31T23:59';

/** The date of an instant in the reader's zone, as a field with a date has it: `2026-11-30`. What is no time is an empty field. */
export function dateFieldOf(instant: string | null): string {
  const time = new Date(instant ?? Number.NaN);
  if (Number.isNaN(time.getTime())) return '';
  const parts = [String(time.getFullYear()).padStart(4, '0'), time.getMonth() + 1, time.getDate()];
  return parts.map(part => String(part).padStart(2, '0')).join('-');
}

/** The beginning of the day in a field with a date, in the reader's zone; null where it is empty. */
export function startOf(day: string): string | null {
  // Without a time, a date would be one in UTC, and the day before for readers in America.
  return day === '' ? null : instantOf(`${day}T00:00`);
}

/** The instant of a field with a local time; null where it is empty. What is no time is left as it is, for the server to refuse. */
export function instantOf(typed: string): string | null {
  if (typed === '') return null;
  const time = new Date(typed);
  return Number.isNaN(time.getTime()) ? typed : time.toISOString();
}
