import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { settings } from '../../src/config/settings.js';
import { attributeLimits } from '../../src/core/attributes.js';
import { issueLimits } from '../../src/core/errors.js';
import { valueLimits } from '../../src/core/variants.js';
import { previewLimits } from '../../src/features/preview.js';
import { costLimits } from '../../src/graphql/builder.js';
import { defaultServerLimits } from '../../src/server/limits.js';

const named = (name: string, limits: object) =>
  Object.fromEntries(Object.entries(limits).map(([key, value]) => [`${name}.${key}`, value as number]));

/** Limits that other pages describe: of conditions in docs/evaluation.md, of values that are dates, versions and addresses. */
const elsewhere = new Set([
  ...['maxLeaves', 'maxDepth', 'maxIssues', 'maxSearchedLength'],
  ...['maxVersionLength', 'maxAddressLength', 'maxInstantLength'],
]);

const source = fileURLToPath(new URL('../../src/', import.meta.url));

/** Every constant of the sources whose name says that it is a limit: a new one cannot be forgotten here. */
function constants(): [name: string, value: number][] {
  const layers = ['core', 'auth', 'features', 'graphql', 'server'];
  const files = layers.flatMap(layer =>
    readdirSync(source + layer, { recursive: true, encoding: 'utf8' }).map(file => `${layer}/${file}`),
  );
  return files
    .filter(file => file.endsWith('.ts'))
    .flatMap(file =>
      [...readFileSync(source + file, 'utf8').matchAll(/^(?:export )?const (max[A-Z]\w*) = ([\d_]+);/gm)].flatMap(
        ([, name = '', value = '']): [string, number][] =>
          elsewhere.has(name) ? [] : [[name, Number(value.replaceAll('_', ''))]],
      ),
    );
}

/** Every limit that the page is to have, as the code has it. */
const limits: Readonly<Record<string, number>> = {
  ...defaultServerLimits,
  ...named('costLimits', costLimits),
  ...named('attributeLimits', attributeLimits),
  ...named('issueLimits', issueLimits),
  ...named('valueLimits', valueLimits),
  ...named('previewLimits', previewLimits),
  ...Object.fromEntries(constants()),
};

const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');
const rows = page
  .split('\n')
  .filter(line => line.startsWith('| ') && !line.startsWith('| limit |'))
  .map(line => line.split('|').map(cell => cell.trim()))
  .map(([, limit = '', name = '', value = '', setting = '', answer = '']) => ({ limit, name, value, setting, answer }));

describe('docs/limits.md', () => {
  it('finds the limits in the sources, each under a name of its own', () => {
    const names = constants().map(([name]) => name);
    expect(names.length).toBeGreaterThan(25);
    expect([...new Set(names)]).toEqual(names);
  });

  it('lists every limit of the code once, and no other', () => {
    expect(rows.map(({ name }) => name.replaceAll('`', '')).sort()).toEqual(Object.keys(limits).sort());
  });

  it.each(rows.map(row => [row.name.replaceAll('`', ''), row] as const))('%s equals the code', (name, row) => {
    expect(Number(/^[\d,]+/.exec(row.value)?.[0].replaceAll(',', ''))).toBe(limits[name]);
    expect(row.limit).not.toBe('');
    expect(row.answer).not.toBe('');
  });

  it('names settings that exist, with the defaults of the limits', () => {
    const byName = new Map(settings.map(({ name, default: value }) => [name as string, value]));
    for (const { name, setting } of rows) {
      const variable = /^`([A-Z_]+)`/.exec(setting)?.[1];
      if (variable === undefined) continue;
      expect(byName.has(variable)).toBe(true);
      if (variable.startsWith('MAX_')) expect(Number(byName.get(variable))).toBe(limits[name.replaceAll('`', '')]);
    }
    const limiting = settings.map(({ name }) => name).filter(name => name.startsWith('MAX_'));
    for (const name of limiting) expect(page).toContain(`\`${name}\``);
  });
});
