import { count, plural } from './numbers.js';
import { isList, isObject, type Json } from './shapes.js';

const longestValue = 40;

/** A value as people read it. A text that could be taken for something else is in quotes. */
export function valueText(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return shortened(isPlain(value) ? value : JSON.stringify(value));
  if (isList(value)) return `[${value.slice(0, 5).map(valueText).join(', ')}${value.length > 5 ? ', …' : ''}]`;
  return isObject(value) ? shortened(JSON.stringify(value)) : String(value);
}

/** Cut in the middle, so that two long values that begin or end alike stay apart. */
export function shortened(text: string, longest = longestValue): string {
  if (text.length <= longest) return text;
  const half = Math.floor((longest - 1) / 2);
  const characters = [...text];
  return characters.length <= longest
    ? text
    : `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`;
}

/** Whether a text needs no quotes: it is no number, no boolean, not blank, and has no blank at an end. */
function isPlain(text: string): boolean {
  if (text === '' || text.trim() !== text || /["\n\r\t,]/.test(text)) return false;
  return !['true', 'false', 'null'].includes(text) && Number.isNaN(Number(text));
}

/** The values of an operand that is one value or a list. */
export function valuesOf(operand: Json): readonly Json[] {
  return isList(operand) ? operand : [operand];
}

/** `pro, team or free`; of many the first, and how many others. */
export function listed(items: readonly string[], word: 'or' | 'and', most = 6): string {
  const told = items.length > most ? [...items.slice(0, most - 1), others(items.length - most + 1)] : items;
  return told.length < 2 ? told.join('') : `${told.slice(0, -1).join(', ')} ${word} ${told.at(-1)}`;
}

const others = (number: number) => (number === 1 ? '1 other' : `${count(number)} others`);

const isCountryName = (name: string) => /(^|[._])country(_?code)?$/i.test(name);

/** The name of a country where an attribute holds its code; null where it is something else. */
export function countryName(attribute: string, value: Json, locale = 'en'): string | null {
  if (!isCountryName(attribute) || typeof value !== 'string' || !/^[A-Z]{2}$/.test(value)) return null;
  return new Intl.DisplayNames(locale, { type: 'region', fallback: 'none' }).of(value) ?? null;
}

/** An attribute as the subject of a clause. */
export function attributeName(name: string): string {
  if (name === '$id') return 'user id';
  if (name === '$targetingKey') return 'targeting key';
  return /^[\w.$-]+$/.test(name) ? name : JSON.stringify(name);
}

export function conditionsCount(number: number, more: boolean): string {
  return plural(number, more ? 'more condition' : 'condition');
}

/** Two letters for the id of a person, without the name of the identity provider before it. */
export function initials(name: string): string {
  const letters = (name.split(/[|/]/).at(-1) ?? name).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const [first = '', second] = letters;
  return (second === undefined ? first.slice(0, 2) : first.charAt(0) + second.charAt(0)).toUpperCase();
}
