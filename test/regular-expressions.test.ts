import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Files, and folders that end in `/`, whose regular expressions may run over text of any length, each with the reason. */
const exempt: Readonly<Record<string, string>> = {
  'src/generated/': 'written by a tool, not by us',
  'src/config.ts': 'operators write the settings',
  'src/config/': 'operators write the settings',
  'src/cli/': 'operators write the arguments',
  'src/core/database-url.ts': 'operators write the address of the database',
  'src/backends/session.ts': 'operators write the settings of the database',
  'src/backends/tls.ts': 'operators write the certificates',
  'src/backends/migrate.ts': 'we write the migrations',
};

const isExempt = (path: string) =>
  Object.keys(exempt).some(entry => (entry.endsWith('/') ? path.startsWith(entry) : path === entry));

/** Methods of strings that make a regular expression out of a string. */
const implicit = new Set(['match', 'matchAll', 'search']);

/** Where a source has a regular expression that is not the first argument of `bounded(...)`, as `file:line`. */
function unbounded(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (makesPattern(node) && !isBounded(node)) {
      found.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function makesPattern(node: ts.Node): boolean {
  if (ts.isRegularExpressionLiteral(node)) return true;
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return false;
  const { expression, arguments: [first] = [] } = node;
  if (ts.isPropertyAccessExpression(expression)) {
    const { text } = expression.name;
    return text === 'RegExp' || (implicit.has(text) && first !== undefined && ts.isStringLiteralLike(first));
  }
  return ts.isIdentifier(expression) && expression.text === 'RegExp';
}

function isBounded(node: ts.Node): boolean {
  const { parent } = node;
  return (
    ts.isCallExpression(parent) &&
    ts.isIdentifier(parent.expression) &&
    parent.expression.text === 'bounded' &&
    parent.arguments[0] === node &&
    // With these flags a pattern remembers where it stopped.
    !(ts.isRegularExpressionLiteral(node) && /[gy][a-z]*$/.test(node.text))
  );
}

const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
  .map(entry => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));

it('no regular expression of src runs over text of any length: each is bounded, or its file is exempt', () => {
  expect(sources.length).toBeGreaterThan(100);
  const paths = sources.filter(path => !isExempt(path));
  expect(paths.flatMap(path => unbounded(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
});

it('nothing is exempt that does not exist', () => {
  for (const entry of Object.keys(exempt)) {
    expect(sources.some(path => (entry.endsWith('/') ? path.startsWith(entry) : path === entry))).toBe(true);
  }
});

it.each([
  ['a literal', 'const a = /a+/;'],
  ['a literal that is used at once', 'export const has = (text: string) => /a+/.test(text);'],
  ['a literal for zod', 'z.string().regex(/^a+$/);'],
  ['a constructor', 'const a = new RegExp(b);'],
  ['a constructor without new', 'const a = RegExp("a+");'],
  ['a constructor of the global object', 'const a = new globalThis.RegExp("a+");'],
  ['a pattern in a string', 'text.search("a+");'],
  ['a literal in the wrong place', 'bounded(pattern, /a+/);'],
  ['a literal inside the first argument', 'bounded(union(/a+/, /b+/), 10);'],
  ['a pattern that remembers', 'bounded(/a+/g, 10);'],
])('finds %s', (_what, line) => {
  expect(unbounded('src/example.ts', `\n${line}`)).toContain('src/example.ts:2');
});

it('passes bounded patterns', () => {
  expect(unbounded('src/example.ts', "const a = bounded(/[gy]+/i, 10); text.replaceAll('a', 'b');")).toEqual([]);
});
