import fc from 'fast-check';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import {
  type DeclaredFlag,
  declaredTypes,
  featureTypes,
  isFeatureTypes,
  typeOfValues,
} from '../../src/core/feature-types.js';
import type { ValueType } from '../../src/core/flag.js';
import type { Json } from '../../src/core/json.js';
import { readPage } from '../support/page-examples.js';

const flag = (key: string, name = key, description: string | null = null): DeclaredFlag => ({
  key,
  name,
  description,
  type: 'BOOLEAN',
  variants: [],
});

/** A flag of this type with these values. */
const valued = (key: string, type: ValueType, values: readonly Json[]): DeclaredFlag => ({
  ...flag(key),
  type,
  variants: values.map(value => ({ value })),
});

const keysOf = (text: string) => [...declaredTypes(text).keys()];

/** What a compiler reads: members of FeatureTypes by name, and what is wrong with the text. */
function read(text: string) {
  const file = ts.createSourceFile('features.d.ts', text, ts.ScriptTarget.Latest, true);
  const { parseDiagnostics } = file as unknown as { readonly parseDiagnostics: readonly ts.Diagnostic[] };
  const members: { key: string; doc: string; tags: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertySignature(node) && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))) {
      const [doc] = ts.getJSDocCommentsAndTags(node);
      const comment = doc === undefined || !ts.isJSDoc(doc) ? '' : ts.getTextOfJSDocComment(doc.comment);
      members.push({ key: node.name.text, doc: comment ?? '', tags: ts.getJSDocTags(node).length });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return {
    faults: parseDiagnostics.map(({ messageText }) => messageText),
    statements: file.statements.length,
    members,
  };
}

it('writes the keys, sorted, with names and descriptions', () => {
  const flags = [
    flag('new_dashboard', 'New dashboard', 'The one with charts.\nFor everybody by summer.'),
    flag('Checkout.v2', 'Checkout, second version'),
    flag('10:ten'),
  ];
  expect(
    featureTypes(flags, { openfeature: false }),
  ).toBe(`// Written by \`halyard types --no-openfeature --out <this file>\`. Do not edit.
export {};

declare module 'halyard' {
  interface FeatureTypes {
    /** 10:ten */
    "10:ten": boolean;
    /** Checkout, second version */
    "Checkout.v2": boolean;
    /**
     * New dashboard
     *
     * The one with charts. For everybody by summer.
     */
    new_dashboard: boolean;
  }
}
`);
});

it('declares for the client instead', () => {
  const written = featureTypes([valued('a', 'OBJECT', [{}])], { client: true });
  expect(written).toContain('// Written by `halyard types --client --out <this file>`. Do not edit.\n');
  expect(written).toContain("import type { FeatureTypes, Json, JsonObject } from '@halyard/client';");
  expect(written).toContain("declare module '@halyard/client' {");
  expect(isFeatureTypes(written)).toBe(true);
  expect(keysOf(written)).toEqual(['a']);
});

it('gives the same text whatever the order', () => {
  const flags = ['b', 'a', 'B', 'a.b', 'a1'].map(key => flag(key));
  expect(featureTypes([...flags].reverse())).toBe(featureTypes(flags));
  expect(keysOf(featureTypes(flags))).toEqual(['B', 'a', 'a.b', 'a1', 'b']);
});

it('is known again by its first line', () => {
  expect(isFeatureTypes(featureTypes([]))).toBe(true);
  expect(isFeatureTypes('export {};\n')).toBe(false);
});

describe('names and descriptions from people', () => {
  it.each([
    ['ends no comment', 'a */ export const leak: 1; /* b', 'a *\\/ export const leak: 1; /* b'],
    ['starts no tag', '@deprecated see {@link x}, mail@example.com', '\\@deprecated see {\\@link x}, mail@example.com'],
    ['has no line of its own', 'one\r\ntwo\u2028three\tfour\u0007', 'one two three four'],
    ['cannot reorder what is shown', 'safe\u202Eelbasu', 'safeelbasu'],
    ['declares nothing', 'x\n    stolen: boolean;', 'x stolen: boolean;'],
  ])('%s', (_, text, shown) => {
    const written = featureTypes([flag('key', 'Name', text)]);
    expect(read(written)).toEqual({
      faults: [],
      statements: 4,
      members: [{ key: 'key', doc: `Name\n\n${shown}`, tags: 0 }],
    });
    expect(keysOf(written)).toEqual(['key']);
  });

  it('is cut where it is long, between characters', () => {
    const [member] = read(featureTypes([flag('key', 'Name', '😀'.repeat(10_000))])).members;
    expect(member?.doc).toBe(`Name\n\n${'😀'.repeat(400)}…`);
  });

  it('never keeps the keys from being read', () => {
    const key = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/);
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('*', '/', '@', '\n', ' ', '`', '{', '}', '"', ':', 'a', '\u2028') }),
    );
    const values = fc.oneof(
      fc.record({
        type: fc.constant('STRING' as const),
        variants: fc.array(fc.record({ value: text }), { maxLength: 25 }),
      }),
      fc.constant({ type: 'BOOLEAN' as const, variants: [] }),
    );
    const fields = fc.record({ key, name: text, description: fc.option(text), values });
    const flags = fc.uniqueArray(
      fields.map(({ values, ...rest }) => ({ ...rest, ...values })),
      {
        selector: each => each.key,
        maxLength: 5,
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(flags, all => {
        const written = featureTypes(all);
        const keys = all.map(each => each.key).sort();
        const { faults, statements, members } = read(written);
        expect({ faults, statements }).toEqual({ faults: [], statements: 4 });
        expect(members.map(member => member.key)).toEqual(keys);
        expect(members.map(member => member.tags)).toEqual(keys.map(() => 0));
        expect(keysOf(written)).toEqual(keys);
        const types = all.map(each => [each.key, typeOfValues(each)] as const);
        expect(declaredTypes(written)).toEqual(new Map(types));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the type of a value', () => {
  const texts = (...values: string[]) => typeOfValues(valued('a', 'STRING', values));

  it.each<[ValueType, Json[], string]>([
    ['BOOLEAN', [], 'boolean'],
    ['BOOLEAN', [true, false], 'boolean'],
    ['NUMBER', [1, 2], 'number'],
    ['STRING', ['b', 'a', 'b', ''], '"" | "a" | "b"'],
    ['OBJECT', [{ a: 1 }, {}], 'JsonObject'],
    ['OBJECT', [[1], []], 'readonly Json[]'],
    ['OBJECT', [{ a: 1 }, []], 'JsonObject | readonly Json[]'],
    // Stored by another program.
    ['STRING', [], 'string'],
    ['STRING', ['a', null, 5], '"a"'],
    ['OBJECT', [], 'JsonObject'],
  ])('%s with the values %j is %s', (type, values, declared) => {
    expect(typeOfValues(valued('a', type, values))).toBe(declared);
    const written = featureTypes([valued('a', type, values)]);
    expect(declaredTypes(written)).toEqual(new Map([['a', declared]]));
    expect(read(written)).toMatchObject({ faults: [], statements: 4 });
  });

  it('is any text for more than 20 texts, and for a text of more than 100 characters', () => {
    const many = Array.from({ length: 21 }, (_, index) => `v${index}`);
    expect(texts(...many.slice(1)).split(' | ')).toHaveLength(20);
    expect(texts(...many)).toBe('string');
    expect(texts('😀'.repeat(100))).toBe(`"${'😀'.repeat(100)}"`);
    expect(texts('a', '😀'.repeat(101))).toBe('string');
  });

  it.each([
    'a"; export const leak = 1; "',
    "a'\\",
    '*/ x /*',
    'one\ntwo\r\nthree',
    'a\u2028b\u2029c',
    'a\u202eb\ufeff\u00a0\u0085c\u{e0001}',
    '`',
    '\ud800',
  ])('has the text %j as it is, in quotes that it does not leave', text => {
    const written = featureTypes([valued('a', 'STRING', [text, 'z']), flag('b')]);
    expect(read(written)).toMatchObject({ faults: [], statements: 4, members: [{ key: 'a' }, { key: 'b' }] });
    expect(keysOf(written)).toEqual(['a', 'b']);
    expect(written).toMatch(/^[\P{C}\n]*$/u);
    const file = ts.createSourceFile('features.d.ts', written, ts.ScriptTarget.Latest, true);
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) found.push(node.literal.text);
      ts.forEachChild(node, visit);
    };
    visit(file);
    expect(found.sort()).toEqual([text, 'z'].sort());
  });
});

it('writes the file that the documentation shows', () => {
  const [shown] = readPage('docs/typed-keys.md').blocks.filter(({ language }) => language === 'ts');
  const flags = [
    flag('new_checkout', 'New checkout', 'One page instead of four.'),
    flag('search.v2', 'Search, second version'),
    { ...valued('theme', 'STRING', ['#00f', '#f00']), name: 'Theme' },
  ];
  expect(`${shown?.code}\n`).toBe(featureTypes(flags));
});
