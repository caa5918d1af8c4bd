import { expect, it } from 'vitest';
import { groupPath, nameIn, userPath } from '../src/parts/paths.js';

/** What the browser makes of an address. */
const opened = (path: string) => new URL(`https://halyard.example/console${path}`);

it.each(['ann', 'a/b', '%41', '...', '-', 'a?b#c', '~', ' '])('the address of the user %j leads to the user', id => {
  const { pathname } = opened(userPath(id));
  expect(nameIn(pathname)).toBe(id);
});

it.each(['.', '..'])('the addresses of the user and the group %j are no steps in a path', name => {
  const user = opened(userPath(name));
  expect([user.pathname, user.searchParams.get('id')]).toEqual(['/console/users', name]);
  const group = opened(groupPath(name));
  expect([group.pathname, group.searchParams.get('name')]).toEqual(['/console/groups', name]);
});
