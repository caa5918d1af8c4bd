import { expect, it } from 'vitest';
import { settings } from '../../src/config/settings.js';
import { readPage } from '../support/page-examples.js';

it('the table of settings is that of the code', () => {
  const { text } = readPage('docs/settings.md');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm)].map(match => match.slice(1));
  expect(rows).toEqual(
    settings.map(({ name, default: value, description }) => [
      name,
      value === null ? 'unset' : `\`${value}\``,
      description,
    ]),
  );
});
