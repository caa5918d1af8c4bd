import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { Prisma } from '../../src/generated/prisma/client.js';
import { maxSampledBytes } from '../../src/graphql/attribute-values.js';
import { selectUsers } from '../../src/graphql/user-list.js';
import { ann, openGraphQL, type TestGraphQL } from '../support/graphql.js';
import { createDatabase } from '../support/postgres.js';

const databases = [
  { database: 'PGlite', open: async () => ({ api: await openGraphQL(), drop: async () => {} }) },
  {
    database: 'PostgreSQL',
    open: async () => {
      const database = await createDatabase();
      // The statement that makes many users takes longer than those of a server may.
      const options = { url: database.url, reportsQueries: true, statementTimeoutMs: 120_000 } as const;
      return { api: await openGraphQL({ database: await openDatabase(options) }), drop: database.drop };
    },
  },
];

describe.each(databases)('finding on $database', ({ open }) => {
  let api: TestGraphQL;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ api, drop } = await open());
  });
  afterAll(async () => {
    await api.close();
    await drop();
  });

  describe('flags', () => {
    beforeAll(async () => {
      const { management } = api.service;
      await management.createFlag({
        key: 'a',
        name: 'A',
        tags: ['web', 'checkout'],
        owner: 'payments',
        expectedUntil: new Date('2026-03-01T00:00:00.5Z'),
      });
      await management.createFlag({ key: 'b', name: 'B', tags: ['checkout'], owner: 'payments', enabled: true });
      await management.createFlag({
        key: 'c',
        name: 'C',
        tags: ['web', 'ops'],
        owner: 'Payments',
        expectedUntil: new Date('2027-01-01T00:00:00Z'),
        type: 'STRING',
        variants: [{ key: 'v', value: 'x', weight: 1 }],
        offVariant: 'v',
      });
      await management.createFlag({ key: 'd', name: 'D' });
      // By another hand, in no order and one of them twice.
      await api.database.prisma.$executeRaw`UPDATE feature_flags SET tags = '{web,🚩,web,～,checkout}' WHERE key = 'b'`;
    });

    it('show tags sorted by code points, the owner and the time', async () => {
      expect(await api.data('{ flags { nodes { key tags owner expectedUntil } } }')).toEqual({
        flags: {
          nodes: [
            {
              key: 'a',
              tags: ['checkout', 'web'],
              owner: 'payments',
              expectedUntil: new Date('2026-03-01T00:00:00.5Z'),
            },
            { key: 'b', tags: ['checkout', 'web', '～', '🚩'], owner: 'payments', expectedUntil: null },
            { key: 'c', tags: ['ops', 'web'], owner: 'Payments', expectedUntil: new Date('2027-01-01T00:00:00Z') },
            { key: 'd', tags: [], owner: null, expectedUntil: null },
          ],
        },
      });
    });

    it.each([
      ['tags: ["web"]', ['a', 'b', 'c']],
      ['tags: ["web", "checkout"]', ['a', 'b']],
      ['tags: ["checkout", "checkout"]', ['a', 'b']],
      ['tags: ["web", "nowhere"]', []],
      ['tags: ["Web"]', []],
      ['tags: ["we%"]', []],
      ['tags: []', ['a', 'b', 'c', 'd']],
      ['owner: "payments"', ['a', 'b']],
      ['owner: "Payments"', ['c']],
      ['owner: ""', []],
      ['hasOwner: true', ['a', 'b', 'c']],
      ['hasOwner: false', ['d']],
      ['hasOwner: false, owner: "payments"', []],
      ['expectedBefore: "2026-03-01T00:00:00.5Z"', []],
      ['expectedBefore: "2026-03-01T00:00:00.501Z"', ['a']],
      ['expectedBefore: "2999-01-01"', ['a', 'c']],
      ['type: STRING', ['c']],
      ['type: BOOLEAN, enabled: true', ['b']],
      ['tags: ["web"], owner: "payments", enabled: false, search: "A"', ['a']],
    ])('are found by %s', async (filter, keys) => {
      const { flags } = await api.data(`{ flags(filter: { ${filter} }) { totalCount nodes { key } } }`);
      expect(flags).toEqual({ totalCount: keys.length, nodes: keys.map(key => ({ key })) });
    });

    it('are counted by tag and by owner, on all pages together', async () => {
      const counts = '{ tags { tag count } owners { owner count } }';
      expect(await api.data(`{ flags(first: 0) ${counts} }`)).toEqual({
        flags: {
          tags: [
            { tag: 'web', count: 3 },
            { tag: 'checkout', count: 2 },
            { tag: 'ops', count: 1 },
            { tag: '～', count: 1 },
            { tag: '🚩', count: 1 },
          ],
          owners: [
            { owner: 'payments', count: 2 },
            { owner: 'Payments', count: 1 },
          ],
        },
      });
      expect(await api.data(`{ flags(first: 0, filter: { tags: ["ops"] }) ${counts} }`)).toEqual({
        flags: {
          tags: [
            { tag: 'ops', count: 1 },
            { tag: 'web', count: 1 },
          ],
          owners: [{ owner: 'Payments', count: 1 }],
        },
      });
      expect(await api.data('{ flags { tags(first: 1) { tag } owners(first: 1) { owner } } }')).toEqual({
        flags: { tags: [{ tag: 'web' }], owners: [{ owner: 'payments' }] },
      });
      const counting = () => api.data(`{ flags(first: 0) { tags { tag } owners { owner } totalCount } }`);
      expect(await api.countQueries(counting)).toBe(4);
    });

    it.each([
      ['flags(first: 0) { tags(first: 101) { tag } }', 'first: Expected 0 to 100, found 101.'],
      ['flags(first: 0) { owners(first: -1) { owner } }', 'first: Expected 0 to 100, found -1.'],
      [
        `flags(filter: { tags: ["${'x'.repeat(51)}"] }) { totalCount }`,
        'filter.tags.0: Expected at most 50 characters.',
      ],
      [
        `flags(filter: { owner: "${'x'.repeat(201)}" }) { totalCount }`,
        'filter.owner: Expected at most 200 characters.',
      ],
      [
        `flags(filter: { tags: [${'"x",'.repeat(21)}] }) { totalCount }`,
        'filter.tags: Expected at most 20 tags, found 21.',
      ],
    ])('refuse %s', async (selection, message) => {
      const { errors } = await api.run(`{ ${selection} }`);
      expect(errors?.map(error => [error.message, error.extensions['code']])).toEqual([[message, 'BAD_USER_INPUT']]);
    });
  });

  describe('users', () => {
    const uuid = (i: number) => `abcdef00-0000-4000-8000-${String(i).padStart(12, '0')}`;
    const known = [
      ...['1042', '1%42', '1_42', 'ABC', 'abc', 'abcdef', 'abcdef00-', 'auth0|ann', 'auth0|bob', 'Ünï', '～', '🚩'],
      ...['\u{10FFFF}', 'auth0|\u{10FFFF}\u{10FFFF}', ann, uuid(1), uuid(2)],
    ];
    /** As the collation "C" sorts. */
    const sorted = [...known].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

    beforeAll(async () => {
      await api.service.management.addToGroup({ group: 'all', userIds: known });
    });

    async function read(args: string, selection = 'userId'): Promise<string[]> {
      const ids: string[] = [];
      for (let after = ''; ; ) {
        const { users } = await api.data(
          `{ users(${args} ${after}) { nodes { ${selection} } pageInfo { hasNextPage endCursor } } }`,
        );
        ids.push(...users.nodes.map(({ userId }: { userId: string }) => userId));
        if (!users.pageInfo.hasNextPage) return ids;
        after = `after: "${users.pageInfo.endCursor}"`;
      }
    }

    it.each([1, 2, 3, 100])('are read page by page, %i at a time, in the order of code points', async first => {
      expect(await read(`first: ${first}`)).toEqual(sorted);
      expect(await read(`first: ${first}, search: ""`)).toEqual(sorted);
    });

    it.each([
      ['auth0|', ['auth0|ann', 'auth0|bob', 'auth0|\u{10FFFF}\u{10FFFF}']],
      ['auth0|ann', ['auth0|ann']],
      ['auth0|ann ', []],
      ['1%', ['1%42']],
      ['1_', ['1_42']],
      ['%', []],
      ['\\', []],
      ['abc', ['abc', 'abcdef', 'abcdef00-', uuid(1), uuid(2)]],
      ['ABC', ['ABC', uuid(1), uuid(2)]],
      ['ABCDEF00-', [uuid(1), uuid(2)]],
      [uuid(2).toUpperCase(), [uuid(2)]],
      [ann.slice(0, 20), [ann]],
      ['Ü', ['Ünï']],
      ['ü', []],
      ['\u{10FFFF}', ['\u{10FFFF}']],
    ])('are found by the beginning %j', async (search, expected) => {
      expect(await read(`first: 2, search: ${JSON.stringify(search)}`)).toEqual(expected);
      expect(sorted.filter(id => expected.includes(id))).toEqual(expected);
    });

    it('go on at the place of a user who was deleted', async () => {
      const page = (args: string) => api.data(`{ users(${args}) { nodes { userId } pageInfo { endCursor } } }`);
      const { users } = await page('first: 2, search: "auth0|"');
      await api.service.management.deleteUser({ userId: 'auth0|bob' });
      const rest = await page(`first: 2, search: "auth0|", after: "${users.pageInfo.endCursor}"`);
      await api.service.management.addToGroup({ group: 'all', userIds: ['auth0|bob'] });
      expect(rest.users.nodes).toEqual([{ userId: 'auth0|\u{10FFFF}\u{10FFFF}' }]);
    });

    it('come with their groups and attributes in a number of queries that does not grow', async () => {
      const count = (first: number) =>
        api.countQueries(() => api.data(`{ users(first: ${first}) { nodes { userId attributes groups } } }`));
      // What earlier writes have made the service read is read.
      await count(3);
      expect(await count(10)).toBe(await count(3));
    });

    it.each([
      [`users(search: "${'x'.repeat(256)}") { nodes { userId } }`, 'search: Expected at most 255 characters.'],
      ['users(search: "\\u0000") { nodes { userId } }', /^search: The text has a NUL/],
      ['users(first: 101) { nodes { userId } }', 'first: Expected 0 to 100, found 101.'],
      ['users(after: "eA") { nodes { userId } }', /^after: This cursor does not belong/],
    ])('refuse %s', async (selection, message) => {
      const { errors } = await api.run(`{ ${selection} }`);
      expect(errors?.map(error => error.extensions['code'])).toEqual(['BAD_USER_INPUT']);
      expect(errors?.[0]?.message).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
    });
  });

  describe('attributeValues', () => {
    const attributes = [
      { plan: 'pro', roles: ['a', 'b', 'b'], seats: 5, beta: true, address: { country: 'DE' }, list: ['x'] },
      { plan: 'pro', roles: ['a'], seats: 5.0, beta: false, address: { country: 'BR' }, 'address.country': 'own' },
      { plan: 'free', roles: [], seats: 7, address: [{ country: 'FR' }], list: [{ x: 1 }, ['y'], null] },
      { plan: null, roles: 'c', address: null, 'quote"\\': 1, 'a..b': 1 },
      { plan: 'x'.repeat(198), a: { '': { b: 2 } }, long: 'x'.repeat(199), 'address.country': null },
    ];

    beforeAll(async () => {
      for (const [index, each] of attributes.entries()) {
        await api.service.management.setUserAttributes({ userId: `attributed|${index}`, attributes: each });
      }
    });

    const values = async (name: string, args = '') => {
      const { attributeValues } = await api.data(
        `query($name: String!) { attributeValues(name: $name ${args}) { values { value count } counted isComplete } }`,
        { name },
      );
      expect(attributeValues).toMatchObject({ isComplete: true, counted: await api.database.prisma.user.count() });
      return attributeValues.values.map(({ value, count }: { value: unknown; count: number }) => [value, count]);
    };

    it.each([
      // The most frequent first, then by their JSON. Null is missing, an element counts once a user.
      [
        'plan',
        [
          ['pro', 2],
          ['free', 1],
          ['x'.repeat(198), 1],
        ],
      ],
      [
        'roles',
        [
          ['a', 2],
          ['b', 1],
          ['c', 1],
        ],
      ],
      [
        'seats',
        [
          [5, 2],
          [7, 1],
        ],
      ],
      [
        'beta',
        [
          [false, 1],
          [true, 1],
        ],
      ],
      // The own name before the path, which does not look into lists.
      [
        'address.country',
        [
          ['DE', 1],
          ['own', 1],
        ],
      ],
      ['address', []],
      ['list', [['x', 1]]],
      ['list.0', []],
      ['quote"\\', [[1, 1]]],
      [
        'a..b',
        [
          [1, 1],
          [2, 1],
        ],
      ],
      ['long', []],
      ['nobody', []],
      ['$reserved', []],
    ])('of %s', async (name, expected) => {
      expect(await values(name)).toEqual(expected);
    });

    it('are no more than asked for', async () => {
      expect(await values('plan', 'first: 1')).toEqual([['pro', 2]]);
      expect(await values('plan', 'first: 0')).toEqual([]);
    });

    it('come from one statement', async () => {
      expect(await api.countQueries(() => api.data('{ attributeValues(name: "plan") { counted } }'))).toBe(1);
    });

    it.each([
      ['$id', /^name: The built-in attribute "\$id" is not stored.*`users`/],
      ['', 'name: Expected 1 to 100 characters that can be stored.'],
      ['x'.repeat(101), 'name: Expected 1 to 100 characters that can be stored.'],
    ])('refuse the name %j', async (name, message) => {
      const { errors } = await api.run(`{ attributeValues(name: "${name}") { counted } }`);
      expect(errors?.map(error => error.extensions['code'])).toEqual(['BAD_USER_INPUT']);
      expect(errors?.[0]?.message).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
    });
  });

  describe('among many users', { timeout: 300_000 }, () => {
    const count = 60_000;

    beforeAll(async () => {
      const { prisma } = api.database;
      // Without the triggers, which make an entry of the log of each user. Half of the users are known by a text.
      await prisma.$executeRaw`ALTER TABLE users DISABLE TRIGGER USER`;
      await prisma.$executeRaw`
        INSERT INTO users (id, external_id, attributes)
        SELECT halyard_user_id(known), CASE WHEN n % 2 = 0 THEN known END,
               jsonb_build_object('size', CASE WHEN n > ${count}::int - 600 THEN 'late' ELSE 'usual' END, 'note', repeat('x', 60))
        FROM generate_series(1, ${count}::int) AS n,
             LATERAL (SELECT CASE WHEN n % 2 = 0 THEN 'many|' || n ELSE gen_random_uuid()::text END) AS made(known)`;
      await prisma.$executeRaw`ALTER TABLE users ENABLE ALWAYS TRIGGER halyard_digest_insert`;
      await prisma.$executeRawUnsafe('ANALYZE users');
    }, 300_000);

    it.each([
      ['', null],
      ['many|1', null],
      ['many|1', 'many|15'],
      ['abc', null],
      ['AB', 'ab'],
      ['nobody', null],
    ])('users beginning with %j after %j are read from indexes', async (search, from) => {
      const plan = await api.database.prisma.$queryRaw<{ 'QUERY PLAN': string }[]>(
        Prisma.sql`EXPLAIN ${selectUsers(search, { from, limit: 21 })}`,
      );
      const text = plan.map(row => row['QUERY PLAN']).join('\n');
      expect(text).not.toMatch(/Seq Scan|\bSort\b.*users/);
      expect(text).toContain('users_external_id_key');
      expect(text).toContain('users_uuid_text_idx');
    });

    it('values of an attribute are those of a sample, in which late users are too', async () => {
      const size = await api.database.prisma.$queryRaw<[{ size: bigint }]>`SELECT pg_relation_size('users') AS size`;
      expect(Number(size[0].size)).toBeGreaterThan(maxSampledBytes);
      const { attributeValues } = await api.data(
        '{ attributeValues(name: "size") { values { value count } counted isComplete } }',
      );
      expect(attributeValues.isComplete).toBe(false);
      expect(attributeValues.counted).toBeLessThan(count);
      expect(attributeValues.counted).toBeGreaterThan(1_000);
      expect(attributeValues.values.map(({ value }: { value: string }) => value)).toEqual(['usual', 'late']);
    });
  });
});
