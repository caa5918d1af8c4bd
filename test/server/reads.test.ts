import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpClient, httpClient } from '../support/clients.js';
import { ann, startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
let admin: HttpClient;

beforeAll(async () => {
  server = await startTestServer();
  admin = httpClient(server.url, await server.token('admin'));
  await server.service.management.createFlag({ key: 'a', name: 'A' });
});

afterAll(() => server.close());

describe('an invented cursor is a fault of the caller', () => {
  const cursors = [
    'garbage',
    '',
    'GPC:S:zzz',
    'GPC:I:12345678901234567890',
    'GPC:T:["S:x","S:y"]',
    'GPC:T:["I:1","I:2"]',
    'GPC:N:x',
  ];
  const lists = [
    'flags',
    'changes',
    'flag(key: "a") { overrides',
    `user(id: "${ann}") { overrides`,
    'groups',
    'group(name: "g") { members',
  ];
  const rows = lists.flatMap(list => cursors.map(cursor => [list, cursor] as const));

  it.each(rows)('%s after %j', async (list, cursor) => {
    const nested = list.includes('{') ? ' }' : '';
    for (const after of [cursor, Buffer.from(cursor).toString('base64')]) {
      const { body } = await admin.query(
        `query($after: String!) { ${list}(after: $after) { pageInfo { endCursor } }${nested} }`,
        {
          after,
        },
      );
      expect(body.errors?.map(error => error.extensions?.code) ?? []).not.toContain('INTERNAL_SERVER_ERROR');
    }
  });
});

describe('a cursor that is too long belongs to no list', () => {
  beforeAll(async () => {
    const { management } = server.service;
    await management.addToGroup({ group: 'g', userIds: [ann] });
    await management.setOverride({ userId: ann, flagKey: 'a', enabled: true });
  });

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
    const { body } = await read(`${cursor}${'\n'.repeat(1_000)}`);
    expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', path: ['after'] });
    expect(JSON.stringify(body).length).toBeLessThan(1_000);
  });
});
