import type { SavedFlag } from '../../src/draft/fields.js';
import type { RuleShape } from '../../src/words/shapes.js';

export const rule = (id: string, fields: Partial<RuleShape> = {}): RuleShape => ({
  id,
  when: { groups: [id] },
  percentage: 100,
  on: true,
  serve: [],
  ...fields,
});

export const saved: SavedFlag = {
  key: 'pricing',
  type: 'STRING',
  enabled: true,
  version: 3,
  name: 'Pricing',
  description: null,
  percentage: 25,
  conditions: { attributes: { plan: ['pro', 'team'] } },
  variants: [
    { key: 'cards', value: 'cards', weight: 50 },
    { key: 'table', value: 'table', weight: 50 },
  ],
  offVariant: 'table',
  rules: [rule('a'), rule('b'), rule('c')],
  bucketBy: null,
  tags: ['growth'],
  owner: null,
  expectedUntil: null,
};
