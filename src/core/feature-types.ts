import { type Flag, maxFlagKeyLength } from './flag.js';
import { bounded, compareNames } from './text.js';

/** What of a flag its declaration tells. */
export type DeclaredFlag = Pick<Flag, 'key' | 'name' | 'description'>;

const title = '// Written by `halyard types';

const header = `${title} --out <this file>\`. Do not edit.`;

/** Of a description, in characters (code points): it is a hint in an editor, not the manual. */
const longestDescription = 400;
const lineWidth = 100;

/** A line that declares a key: four blanks, perhaps quotes, the key and its type. */
const declaration = bounded(/^ {4}"?([A-Za-z0-9][A-Za-z0-9._:-]*)"?: boolean;$/, maxFlagKeyLength + 20);
/** A key that needs no quotes. */
const plainKey = bounded(/^[A-Za-z]\w*$/, maxFlagKeyLength);

/** Marks that reorder what is shown. */
const reordering = bounded(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/, 1);
const blank = bounded(/[\s\p{Cc}]/u, 1);
const wordCharacter = bounded(/\w/, 1);

/**
 * TypeScript declarations that fill in `FeatureKeys`: from then on only the keys of these flags compile. The same flags
 * give the same text, in whichever order they come.
 */
export function featureTypes(flags: readonly DeclaredFlag[]): string {
  const members = flags.length === 0 ? noFlags : declarations(flags);
  return `${header}
export {};

declare module 'halyard' {
  interface FeatureKeys {
${members.map(line => `    ${line}\n`).join('')}  }
}
`;
}

/** An interface without members would let any text pass, as without the file. A number is no text, so nothing does. */
const noFlags = ['/** There are no flags, so no key compiles. */', '0: never;'];

/** Whether a text is what {@link featureTypes} makes, of whichever flags. */
export function isFeatureTypes(text: string): boolean {
  return text.startsWith(title);
}

/** The keys that {@link featureTypes} wrote into a text. */
export function declaredKeys(text: string): string[] {
  return text.split('\n').flatMap(line => declaration.exec(line)?.[1] ?? []);
}

function declarations(flags: readonly DeclaredFlag[]): string[] {
  return [...flags]
    .sort((a, b) => compareNames(a.key, b.key))
    .flatMap(({ key, name, description }) => [
      ...docstring([name, shorten(description ?? '')]),
      `${plainKey.test(key) ? key : JSON.stringify(key)}: boolean;`,
    ]);
}

function docstring(paragraphs: readonly string[]): string[] {
  const [first = [], ...rest] = paragraphs.map(text => wrap(inComment(text))).filter(lines => lines.length > 0);
  const lines = [...first, ...rest.flatMap(paragraph => ['', ...paragraph])];
  if (lines.length <= 1) return lines.map(line => `/** ${line} */`);
  return ['/**', ...lines.map(line => ` * ${line}`.trimEnd()), ' */'];
}

/**
 * People's text on one line of a comment. The comment must not end early, `@` must start no tag, and nothing may look
 * other than it is: no control characters and no marks that reorder what is shown.
 */
function inComment(text: string): string {
  let line = '';
  for (const character of text) {
    if (reordering.test(character)) continue;
    if (blank.test(character)) line += ' ';
    else if (character === '/' && line.endsWith('*')) line += '\\/';
    else if (character === '@' && !wordCharacter.test(line.slice(-1))) line += '\\@';
    else line += character;
  }
  return line;
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= longestDescription ? text : `${characters.slice(0, longestDescription).join('')}…`;
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ').filter(part => part !== '')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > lineWidth) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}
