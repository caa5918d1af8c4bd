import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { settings } from '../../src/config/settings.js';
import { attributeLimits } from '../../src/core/attributes.js';
import { issueLimits } from '../../src/core/errors.js';
import { maxFlagKeyLength } from '../../src/core/flag.js';
import { maxGroupUsers } from '../../src/core/inputs.js';
import { maxMatchedLength } from '../../src/core/pattern.js';
import { maxEchoLength, maxNameLength } from '../../src/core/text.js';
import { operationLimits } from '../../src/graphql/builder.js';
import { maxOpaqueLength, maxPageSize } from '../../src/graphql/connections.js';
import { maxContexts, maxKeys, maxTargetingKeyLength, maxWatchedKeys } from '../../src/graphql/evaluation.js';
import { maxSearchLength } from '../../src/graphql/flag.js';
import { defaultServerLimits } from '../../src/server/limits.js';
import { maxCoercionErrors, maxMembers } from '../../src/server/operations/variables.js';

const named = (name: string, limits: object) =>
  Object.fromEntries(Object.entries(limits).map(([key, value]) => [`${name}.${key}`, value as number]));

/** Every limit that the page is to have, as the code has it. */
const limits: Readonly<Record<string, number>> = {
  ...defaultServerLimits,
  ...named('operationLimits', operationLimits),
  ...named('attributeLimits', attributeLimits),
  'issueLimits.count': issueLimits.count,
  ...{ maxContexts, maxEchoLength, maxFlagKeyLength, maxGroupUsers, maxKeys, maxMatchedLength, maxNameLength },
  ...{ maxCoercionErrors, maxMembers },
  ...{ maxOpaqueLength, maxPageSize, maxSearchLength, maxTargetingKeyLength, maxWatchedKeys },
};

const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');
const rows = page
  .split('\n')
  .filter(line => line.startsWith('| ') && !line.startsWith('| limit |'))
  .map(line => line.split('|').map(cell => cell.trim()))
  .map(([, limit = '', name = '', value = '', setting = '', answer = '']) => ({ limit, name, value, setting, answer }));

describe('docs/limits.md', () => {
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
