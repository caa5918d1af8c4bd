import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpClient, httpClient } from '../support/clients.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
let admin: HttpClient;

beforeAll(async () => {
  server = await startTestServer();
  admin = httpClient(server.url, await server.token('admin'));
  const { management } = server.service;
  await management.createFlag({ key: 'a', name: 'A' });
  await management.addToGroup({ group: 'g', userIds: [ann] });
  await management.setOverride({ userId: ann, flagKey: 'a', enabled: true });
});

afterAll(() => server.close());

describe('an invented cursor is a fault of the caller', () => {
  const values = [
    '',
    'x',
    '\u{1F600}',
    '1',
    '-1',
    '9'.repeat(18),
    '9'.repeat(40),
    ann,
    ann.toUpperCase(),
    '\uFEFF',
    'NaN',
    '1e3',
  ];
  const lists = [
    ['flags(', 'flags.key'],
    ['flags(orderBy: { field: NAME, direction: ASC }, ', 'flags.name'],
    ['flags(orderBy: { field: CREATED_AT, direction: ASC }, ', 'flags.createdAt'],
    ['flags(orderBy: { field: UPDATED_AT, direction: DESC }, ', 'flags.updatedAt'],
    ['changes(', 'changes'],
    ['flag(key: "a") { overrides(', 'flag.overrides'],
    ['flag(key: "a") { changes(', 'flag.changes'],
    [`user(id: "${ann}") { overrides(`, 'user.overrides'],
    ['groups(', 'groups'],
    ['group(name: "g") { members(', 'group.members'],
  ] as const;

  it.each(lists)('%s', async (list, name) => {
    const places = [
      ...values.map(value => [name, value]),
      ...values.map(value => [name, value, 'a']),
      ...values.map(value => [name, 'a', value]),
      ...values.map(value => ['groups', value]),
      [name],
      [name, 'a', 'b', 'c'],
    ].map(parts => Buffer.from(parts.join('\0')));
    const cursors = [
      'garbage',
      '',
      '=',
      'R1BDOlM6eg==',
      ...places.map(place => place.toString('base64url')),
      `${places[0]?.toString('base64url')}=`,
      Buffer.from(`${name}\0a\0\xFF`, 'latin1').toString('base64url'),
    ];
    let foreign = 0;
    for (const after of cursors) {
      const close = /^(flag|user|group)\(/.test(list) ? ' }' : '';
      const { body } = await admin.query(
        `query($after: String!) { ${list}after: $after) { pageInfo { endCursor } }${close} }`,
        { after },
      );
      const extensions = body.errors?.[0]?.extensions;
      if (extensions === undefined) continue;
      expect(extensions, after).toMatchObject({ code: 'BAD_USER_INPUT', path: ['after'] });
      foreign += 1;
    }
    expect(foreign).toBeGreaterThan(values.length);
  });
});

describe('a cursor that is too long belongs to no list', () => {
  it.each([
    'flags',
    'changes',
    'flag(key: "a") { overrides',
    'flag(key: "a") { changes',
    `user(id: "${ann}") { overrides`,
    'groups',
    'group(name: "g") { members',
  ])('%s', async list => {
    const end = list.includes('{') ? '} } }' : '} }';
    const first = await admin.query(`{ ${list}(first: 1) { pageInfo { endCursor } ${end}`);
    const cursor = /"endCursor":"([^"]+)"/.exec(JSON.stringify(first.body))?.[1];
    const read = (after: string) =>
      admin.query(`query($after: String!) { ${list}(after: $after) { pageInfo { endCursor } ${end}`, { after });
    expect((await read(String(cursor))).body.errors).toBeUndefined();
    const { body } = await read(`${cursor}${'\n'.repeat(2_000)}`);
    expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path: ['after'] });
    expect(JSON.stringify(body).length).toBeLessThan(1_000);
  });
});
