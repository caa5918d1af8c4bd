import type { Targeted } from '../../src/core/attribute-reader.js';
import type { Attributes } from '../../src/core/attributes.js';

/** Who a user is, as far as conditions can tell. */
export type Identity = Partial<Pick<Targeted, 'userId' | 'targetingKey'>>;

/** What compiled conditions are asked about. Anonymous unless `identity` says more. */
export function targeted(
  attributes: Attributes,
  groups: readonly string[] = [],
  { userId = null, targetingKey = null }: Identity = {},
): Targeted {
  return { attributes, groups: new Set(groups), userId, targetingKey };
}
