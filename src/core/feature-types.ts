import { type Flag, maxFlagKeyLength, type ValueType, type Variant } from './flag.js';
import type { Json } from './json.js';
import { bounded, compareNames, isLongerThan } from './text.js';

/** The parts of a flag that its declaration contains. */
export interface DeclaredFlag extends Pick<Flag, 'key' | 'name' | 'description' | 'type'> {
  readonly variants: readonly Pick<Variant, 'value'>[];
}

const title = '// Written by `halyard types';

/** What else the declarations are for. */
export interface FeatureTypesOptions {
  /** Fill in the types of `@halyard/client` in place of those of `halyard`. Default false. */
  readonly client?: boolean | undefined;
  /** Narrow the keys that OpenFeature's clients take, too. Default true. */
  readonly openfeature?: boolean | undefined;
}

/**
 * What follows the declarations. `@ts-expect-error` stands where a package that is not installed, and a second such file, would be an
 * error of the compiler.
 */
const openFeatureKeys = `
/** The keys of the flags whose values have this type. */
type KeysOf<Value> = Extract<
  { [Key in keyof FeatureTypes]: FeatureTypes[Key] extends Value ? Key : never }[keyof FeatureTypes],
  string
>;

// The keys that the clients of OpenFeature take. Where OpenFeature is not installed, this declares nothing.
// @ts-ignore
declare module '@openfeature/core' {
  // @ts-ignore
  export type BooleanFlagKey = KeysOf<boolean>;
  // @ts-ignore
  export type StringFlagKey = KeysOf<string>;
  // @ts-ignore
  export type NumberFlagKey = KeysOf<number>;
  // @ts-ignore
  export type ObjectFlagKey = KeysOf<object>;
}
`;

/** The options of the command that writes such a file, each with a blank before it. */
export function typesArguments({ client = false, openfeature = true }: FeatureTypesOptions): string {
  return `${client ? ' --client' : ''}${openfeature ? '' : ' --no-openfeature'}`;
}

/** Longest description in a declaration, in characters (code points): editors show it as a hint. */
const longestDescription = 400;
const lineWidth = 100;

/** Most values that a text is declared as one of, and the longest of them in characters (code points). */
const union = { members: 20, length: 100 } as const;

/** A line that declares a key: four blanks, perhaps quotes, the key and its type. Each character of a value may be a long escape. */
const declaration = bounded(
  /^ {4}"?([A-Za-z0-9][A-Za-z0-9._:-]*)"?: (.+);$/,
  maxFlagKeyLength + 20 + union.members * (12 * union.length + 5),
);
/** A key that needs no quotes. */
const plainKey = bounded(/^[A-Za-z]\w*$/, maxFlagKeyLength);

/** Marks that change the order of the displayed text. */
const reordering = bounded(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/, 1);
const blank = bounded(/[\s\p{Cc}]/u, 1);
const wordCharacter = bounded(/\w/, 1);
/** A character that editors may not show, or show as another. */
const invisible = bounded(/[\p{C}\p{Z}]/u, 2);

/**
 * TypeScript declarations that fill in `FeatureTypes`: from then on only the keys of these flags compile. The same flags
 * give the same text, in any order.
 */
export function featureTypes(flags: readonly DeclaredFlag[], options: FeatureTypesOptions = {}): string {
  const { client = false, openfeature = true } = options;
  const packageName = client ? "'@halyard/client'" : "'halyard'";
  const members = flags.length === 0 ? noFlags : declarations(flags);
  const names = [
    ...(openfeature ? ['FeatureTypes'] : []),
    ...(flags.some(({ type }) => type === 'OBJECT') ? ['Json', 'JsonObject'] : []),
  ];
  const imported = names.length === 0 ? 'export {};' : `import type { ${names.join(', ')} } from ${packageName};`;
  return `${title}${typesArguments(options)} --out <this file>\`. Do not edit.
${imported}

declare module ${packageName} {
  interface FeatureTypes {
${members.map(line => `    ${line}\n`).join('')}  }
}
${openfeature ? openFeatureKeys : ''}`;
}

/** An interface without members would accept any text. A member whose key is a number accepts none. */
const noFlag = 'never';
const noFlags = ['/** There are no flags, so no key compiles. */', `0: ${noFlag};`];

/** Whether {@link featureTypes} wrote the text, for any flags. */
export function isFeatureTypes(text: string): boolean {
  return text.startsWith(title);
}

/** The type of each key that {@link featureTypes} wrote into a text. */
export function declaredTypes(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, key, type] = declaration.exec(line) ?? [];
      const isFlag = key !== undefined && type !== undefined && type !== noFlag;
      return isFlag ? [[key, type]] : [];
    }),
  );
}

function declarations(flags: readonly DeclaredFlag[]): string[] {
  return [...flags]
    .sort((a, b) => compareNames(a.key, b.key))
    .flatMap(flag => [
      ...docstring([flag.name, shorten(flag.description ?? '')]),
      `${plainKey.test(flag.key) ? flag.key : JSON.stringify(flag.key)}: ${typeOfValues(flag)};`,
    ]);
}

const typesOfValues: { readonly [type in ValueType]: (values: readonly Json[]) => string } = {
  BOOLEAN: () => 'boolean',
  NUMBER: () => 'number',
  STRING: values => unionOf(values.filter(value => typeof value === 'string')),
  OBJECT: values => {
    const lists = values.filter(value => Array.isArray(value)).length;
    if (lists === 0) return 'JsonObject';
    return lists === values.length ? 'readonly Json[]' : 'JsonObject | readonly Json[]';
  },
};

/** The type of the values of a flag, as the file of {@link featureTypes} declares it. */
export function typeOfValues({ type, variants }: Pick<DeclaredFlag, 'type' | 'variants'>): string {
  return typesOfValues[type](variants.map(({ value }) => value));
}

function unionOf(texts: readonly string[]): string {
  const members = [...new Set(texts)].sort(compareNames);
  const isShort = members.length <= union.members && !members.some(text => isLongerThan(text, union.length));
  return isShort && members.length > 0 ? members.map(quote).join(' | ') : 'string';
}

/** A text in quotes. What an editor may not show as it is has an escape. */
function quote(text: string): string {
  const characters = Array.from(JSON.stringify(text), character =>
    character !== ' ' && invisible.test(character) ? escaped(character) : character,
  );
  return characters.join('');
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
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
