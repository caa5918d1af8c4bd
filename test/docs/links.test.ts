import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../support/page-examples.js';

const folders = ['.', 'docs', 'docs/decisions', 'bench', 'examples'];
const pages = folders.flatMap(folder =>
  readdirSync(new URL(`${folder}/`, packageRoot))
    .filter(name => name.endsWith('.md'))
    .map(name => `${folder}/${name}`.replace(/^\.\//, '')),
);

const isFolder = (file: URL) => statSync(fileURLToPath(file)).isDirectory();

/** The names under which the headings of a page can be linked to, as GitHub makes them. */
function anchorsOf(file: URL): string[] {
  const text = readFileSync(file, 'utf8').replaceAll(/^```.*?^```/gms, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('each link in the documentation leads somewhere', () => {
  it.each(pages)('%s', page => {
    const base = new URL(page, packageRoot);
    const text = readFileSync(base, 'utf8').replaceAll(/^```.*?^```/gms, '');
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter(link => !/^https?:/.test(link))
      .filter(link => {
        const target = new URL(link, base);
        const anchor = target.hash.slice(1);
        target.hash = '';
        try {
          if (isFolder(target)) return false;
          return anchor !== '' && !anchorsOf(target).includes(anchor);
        } catch {
          return true;
        }
      });
    expect(broken).toEqual([]);
  });
});
