import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalUserId, storedUserId, userIdFault } from '../../src/core/user-id.js';
import { badIds, goodIds } from '../support/user-ids.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

describe('a user id', () => {
  it.each([...goodIds, ann, ann.toUpperCase()])('may be %j', id => {
    expect(userIdFault(id)).toBeNull();
  });

  it.each(badIds)('may not be %s', (_name, id, message) => {
    expect(userIdFault(id)).toContain(message);
    expect(userIdFault(id)?.length).toBeLessThan(200);
  });

  it.each([null, undefined])('may not be %s', id => {
    expect(userIdFault(id)).toContain(`found ${id}`);
  });

  it('is known in lower case if it is a UUID of 36 characters, and as it is otherwise', () => {
    expect(canonicalUserId(ann.toUpperCase())).toBe(ann);
    for (const id of goodIds) expect(canonicalUserId(id)).toBe(id);
  });
});

describe('the stored id', () => {
  it('of a UUID is the UUID', () => {
    expect(storedUserId(ann.toUpperCase())).toBe(ann);
  });

  // These stand in databases: they never change.
  it.each([
    ['auth0|5f7c1e0b9a8d', '34d0857f-e43c-8ccf-953a-5c02df1c22ea'],
    ['1042', '17b9bc1e-5951-8394-b14b-90bcad690c6d'],
    ['Ünïcødé 🚩', 'de6f9053-8658-8bd0-ae01-f9632433be6c'],
  ])('of %j is always the same', (id, storedId) => {
    expect(storedUserId(id)).toBe(storedId);
  });

  it.each(goodIds)('of %j is a UUIDv8 of the hash', id => {
    const hash = createHash('sha256').update(`halyard:${id}`, 'utf8').digest('hex').slice(0, 32);
    const storedId = storedUserId(id);
    expect(storedId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const plain = storedId.replaceAll('-', '');
    const free = (text: string) => text.slice(0, 12) + text.slice(13, 16) + text.slice(17);
    expect(free(plain)).toBe(free(hash));
  });
});
