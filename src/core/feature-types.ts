import { type Flag, maxFlagKeyLength } from './flag.js';
import { bounded, compareNames } from './text.js';

/** The parts of a flag that its declaration contains. */
export type DeclaredFlag = Pick<Flag, 'key' | 'name' | 'description'>;

const title = '// Written by `halyard types';

const header = `${title} --out <this file>\`. Do not edit.`;

/** Longest description in a declaration, in characters (code points): editors show it as a hint. */
const longestDescription = 400;
const lineWidth = 100;

/** A line that declares a key: four blanks, perhaps quotes, the key and its type. */
const declaration = bounded(/^ {4}"?([A-Za-z0-9][A-Za-z0-9._:-]*)"?: boolean;$/, maxFlagKeyLength + 20);
/** A key that needs no quotes. */
const plainKey = bounded(/^[A-Za-z]\w*$/, maxFlagKeyLength);

/** Marks that change the order of the displayed text. */
const reordering = bounded(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/, 1);
const blank = bounded(/[\s\p{Cc}]/u, 1);
const wordCharacter = bounded(/\w/, 1);

/**
 * TypeScript declarations that fill in `FeatureKeys`: from then on only the keys of these flags compile. The same flags
 * give the same text, in any order.
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

/** An interface without members would accept any text. A member whose key is a number accepts none. */
const noFlags = ['/** There are no flags, so no key compiles. */', '0: never;'];

/** Whether {@link featureTypes} wrote the text, for any flags. */
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
 * Text that people wrote, on one line of a comment. The text must not end the comment or start a tag with `@`. Control
 * characters and marks that reorder the displayed text are removed.
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
