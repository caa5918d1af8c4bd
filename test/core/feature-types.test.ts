import fc from 'fast-check';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type DeclaredFlag, declaredKeys, featureTypes, isFeatureTypes } from '../../src/core/feature-types.js';
import { readPage } from '../support/page-examples.js';

const flag = (key: string, name = key, description: string | null = null): DeclaredFlag => ({ key, name, description });

/** What a compiler reads: members of FeatureKeys by name, and what is wrong with the text. */
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
  expect(featureTypes(flags)).toBe(`// Written by \`halyard types --out <this file>\`. Do not edit.
export {};

declare module 'halyard' {
  interface FeatureKeys {
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

it('gives the same text whatever the order', () => {
  const flags = ['b', 'a', 'B', 'a.b', 'a1'].map(key => flag(key));
  expect(featureTypes([...flags].reverse())).toBe(featureTypes(flags));
  expect(declaredKeys(featureTypes(flags))).toEqual(['B', 'a', 'a.b', 'a1', 'b']);
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
      statements: 2,
      members: [{ key: 'key', doc: `Name\n\n${shown}`, tags: 0 }],
    });
    expect(declaredKeys(written)).toEqual(['key']);
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
    const flags = fc.uniqueArray(fc.record({ key, name: text, description: fc.option(text) }), {
      selector: each => each.key,
      maxLength: 5,
      minLength: 1,
    });
    fc.assert(
      fc.property(flags, all => {
        const written = featureTypes(all);
        const keys = all.map(each => each.key).sort();
        const { faults, statements, members } = read(written);
        expect({ faults, statements }).toEqual({ faults: [], statements: 2 });
        expect(members.map(member => member.key)).toEqual(keys);
        expect(members.map(member => member.tags)).toEqual(keys.map(() => 0));
        expect(declaredKeys(written)).toEqual(keys);
      }),
      { numRuns: 300 },
    );
  });
});

it('writes the file that the documentation shows', () => {
  const [shown] = readPage('docs/typed-keys.md').blocks.filter(({ language }) => language === 'ts');
  const flags = [
    flag('new_checkout', 'New checkout', 'One page instead of four.'),
    flag('search.v2', 'Search, second version'),
  ];
  expect(`${shown?.code}\n`).toBe(featureTypes(flags));
});
