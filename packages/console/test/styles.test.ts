import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const files = new Map(
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(file => /\.(tsx?|css)$/.test(file) && !file.includes('generated'))
    .map(file => [normalize(file), readFileSync(join(source, file), 'utf8')]),
);
const styles = [...files.keys()].filter(file => file.endsWith('.module.css'));
const at = (from: string, path: string) => normalize(join(dirname(from), path));

/** The classes of a stylesheet that a component names, or another stylesheet composes. */
function usedOf(style: string): ReadonlySet<string> {
  const used = new Set<string>();
  for (const [file, text] of files) {
    const composed = text.matchAll(/composes: ([\w ]+) from "([^"]+)"/g);
    for (const [, names = '', path = ''] of composed) {
      if (at(file, path) === style) for (const name of names.split(' ')) used.add(name);
    }
    const imported = new RegExp(`import (\\w+) from '([^']*${basename(style)})'`).exec(text);
    if (imported === null || at(file, imported[2] as string) !== style) continue;
    for (const [, name = ''] of text.matchAll(new RegExp(`\\b${imported[1]}\\.(\\w+)`, 'g'))) used.add(name);
  }
  return used;
}

it('every class of a stylesheet is used', () => {
  expect(styles.length).toBeGreaterThan(20);
  const unused = styles.flatMap(style => {
    const text = (files.get(style) as string).replace(/composes:[^;]*;/g, '').replace(/"[^"]*"/g, '');
    const used = usedOf(style);
    const classes = new Set([...text.matchAll(/\.([A-Za-z_][\w-]*)/g)].map(([, name]) => name as string));
    return [...classes].filter(name => !used.has(name)).map(name => `${style}: ${name}`);
  });
  expect(unused).toEqual([]);
});
