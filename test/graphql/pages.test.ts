import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { maxOpaqueLength, maxPageSize } from '../../src/graphql/connections.js';
import { ann, openGraphQL, type TestGraphQL } from '../support/graphql.js';
import { createDatabase } from '../support/postgres.js';

const user = (i: number) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
const key = (i: number) => `flag-${String(i).padStart(2, '0')}`;

/** A page as the tests look at it: what it lists, by a name of its own, and its places. */
interface ReadPage {
  readonly items: readonly string[];
  readonly cursors: readonly string[];
  readonly info: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
}

interface List {
  readonly title: string;
  /** The document of a page with these arguments. */
  readonly document: (args: string) => string;
  /** What tells items apart. */
  readonly item: string;
  /** Removes an item of the list from the database. */
  readonly remove: (item: string) => string;
  /** Whether it can be read from its end. */
  readonly backwards: boolean;
}

const flagLists = ['KEY', 'NAME', 'CREATED_AT', 'UPDATED_AT'].flatMap(field =>
  ['ASC', 'DESC'].map(
    (direction): List => ({
      title: `flags by ${field}, ${direction}`,
      document: args =>
        `{ flags(orderBy: { field: ${field}, direction: ${direction} }, filter: { search: "flag" }, ${args}) BODY }`,
      item: 'key',
      remove: item => `DELETE FROM feature_flags WHERE key = '${item}'`,
      backwards: true,
    }),
  ),
);

const lists: readonly List[] = [
  ...flagLists,
  {
    title: 'flags in the order of nobody',
    document: args => `{ flags(${args}) BODY }`,
    item: 'key',
    remove: item => `DELETE FROM feature_flags WHERE key = '${item}'`,
    backwards: true,
  },
  {
    title: 'flag.overrides',
    document: args => `{ flag(key: "${key(0)}") { overrides(${args}) BODY } }`,
    item: 'user { userId }',
    remove: item => `DELETE FROM feature_flag_overrides WHERE user_id = '${item}' AND flag_key = '${key(0)}'`,
    backwards: true,
  },
  {
    title: 'user.overrides',
    document: args => `{ user(id: "${user(0)}") { overrides(${args}) BODY } }`,
    item: 'flag { key }',
    remove: item => `DELETE FROM feature_flag_overrides WHERE user_id = '${user(0)}' AND flag_key = '${item}'`,
    backwards: true,
  },
  {
    title: 'changes',
    document: args => `{ changes(filter: { kinds: [FLAG_CREATED] }, ${args}) BODY }`,
    item: 'revision',
    remove: item => `DELETE FROM feature_changes WHERE revision = ${item}`,
    backwards: true,
  },
  {
    title: 'flag.changes',
    document: args => `{ flag(key: "${key(0)}") { changes(${args}) BODY } }`,
    item: 'revision',
    remove: item => `DELETE FROM feature_changes WHERE revision = ${item}`,
    backwards: false,
  },
  {
    title: 'groups',
    document: args => `{ groups(${args}) BODY }`,
    item: 'name',
    remove: item => `DELETE FROM user_feature_groups WHERE group_name = '${item}'`,
    backwards: false,
  },
  {
    title: 'users',
    document: args => `{ users(search: "0000", ${args}) BODY }`,
    item: 'userId',
    remove: item => `DELETE FROM users WHERE id = '${item}'`,
    backwards: false,
  },
  {
    title: 'group.members',
    document: args => `{ group(name: "group-00") { members(${args}) BODY } }`,
    item: 'userId',
    remove: item => `DELETE FROM user_feature_groups WHERE group_name = 'group-00' AND user_id = '${item}'`,
    backwards: false,
  },
];

const body = (item: string) =>
  `{ edges { cursor node { ${item} } } nodes { ${item} } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`;

const databases = [
  { database: 'PGlite', open: async () => ({ api: await openGraphQL(), drop: async () => {} }) },
  {
    database: 'PostgreSQL',
    open: async () => {
      const database = await createDatabase();
      const api = await openGraphQL({ database: await openDatabase({ url: database.url, reportsQueries: true }) });
      return { api, drop: database.drop };
    },
  },
];

describe.each(databases)('places in lists on $database', ({ open }) => {
  let api: TestGraphQL;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ api, drop } = await open());
  });

  afterAll(async () => {
    await api.close();
    await drop();
  });

  beforeEach(async () => {
    await sql('DELETE FROM feature_flags', 'DELETE FROM users', 'DELETE FROM feature_changes');
    const users = Array.from({ length: 8 }, (_, i) => `('${user(i)}')`).join();
    await sql(`INSERT INTO users (id) VALUES ${users}`);
    // Two flags have each name, and the order of names is not that of keys.
    for (let i = 0; i < 8; i += 1) {
      await sql(
        `INSERT INTO feature_flags (key, name, enabled) VALUES ('${key(i)}', 'Flag ${9 - Math.floor(i / 2)}', true)`,
      );
    }
    const pairs = [...Array(8).keys()].flatMap(i =>
      i === 0
        ? [[0, 0]]
        : [
            [i, 0],
            [0, i],
          ],
    );
    await sql(
      `INSERT INTO feature_flag_overrides (user_id, flag_key, enabled)
        VALUES ${pairs.map(([u = 0, f = 0]) => `('${user(u)}', '${key(f)}', true)`).join()}`,
      `INSERT INTO user_feature_groups (user_id, group_name)
        VALUES ${pairs.map(([u = 0, g = 0]) => `('${user(u)}', 'group-0${g}')`).join()}`,
    );
  });

  async function sql(...statements: string[]): Promise<void> {
    for (const statement of statements) await api.database.prisma.$executeRawUnsafe(statement);
  }

  async function read(list: Pick<List, 'document' | 'item'>, args: string): Promise<ReadPage> {
    const data = await api.data(list.document(args).replace('BODY', body(list.item)));
    let found = Object.values(data)[0] as Record<string, unknown>;
    while (!('edges' in found)) found = Object.values(found)[0] as Record<string, unknown>;
    // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the query above.
    const { edges, nodes, pageInfo } = found as any;
    const nameOf = (node: unknown): string =>
      typeof node === 'object' && node !== null ? nameOf(Object.values(node)[0]) : String(node);
    expect(edges.map((edge: { node: unknown }) => edge.node)).toEqual(nodes);
    return { items: nodes.map(nameOf), cursors: edges.map((edge: { cursor: string }) => edge.cursor), info: pageInfo };
  }

  describe.each(lists)('$title', list => {
    it('are the same page by page as at once, in both directions that there are', async () => {
      const { items: all } = await read(list, `first: ${maxPageSize}`);
      expect(all.length).toBeGreaterThanOrEqual(8);
      for (const backwards of list.backwards ? [false, true] : [false]) {
        const seen: string[] = [];
        for (let from = '', more = true; more; ) {
          const { items, info } = await read(list, `${backwards ? 'last' : 'first'}: 3${from}`);
          if (backwards) seen.unshift(...items);
          else seen.push(...items);
          more = backwards ? info.hasPreviousPage : info.hasNextPage;
          from = backwards ? `, before: "${info.startCursor}"` : `, after: "${info.endCursor}"`;
        }
        expect(seen).toEqual(all);
      }
    });

    it('go on after the place of an item that is gone', async () => {
      const { items: all } = await read(list, `first: ${maxPageSize}`);
      const { info } = await read(list, 'first: 3');
      await sql(list.remove(all[2] as string), list.remove(all[4] as string));
      const next = await read(list, `first: 3, after: "${info.endCursor}"`);
      expect(next.items).toEqual([all[3], all[5], all[6]]);
    });

    it.runIf(list.backwards)('go on before the place of an item that is gone', async () => {
      const { items: all } = await read(list, `first: ${maxPageSize}`);
      const { info } = await read(list, 'last: 3');
      await sql(list.remove(all.at(-3) as string), list.remove(all.at(-5) as string));
      const next = await read(list, `last: 3, before: "${info.startCursor}"`);
      expect(next.items).toEqual([all.at(-7), all.at(-6), all.at(-4)]);
    });

    it('refuse the cursor of every other list', async () => {
      const mine = (await read(list, 'first: 1')).cursors[0] as string;
      for (const other of lists) {
        const theirs = (await read(other, 'first: 1')).cursors[0] as string;
        // An order and its reverse have the same places.
        const kindOf = ({ title }: List) =>
          title.replace(/ in the order of nobody/, ' by KEY').replace(/, (A|DE)SC$/, '');
        if (kindOf(other) === kindOf(list)) continue;
        const { errors } = await api.run(
          list.document(`first: 1, after: "${theirs}"`).replace('BODY', body(list.item)),
        );
        expect(errors?.[0]?.extensions, other.title).toMatchObject({ code: 'BAD_USER_INPUT', path: ['after'] });
        expect(errors?.[0]?.message).toContain('does not belong to this list');
        expect(theirs).not.toBe(mine);
      }
    });
  });

  it('a flag that the filter no longer lists keeps its place', async () => {
    const on = { document: (args: string) => `{ flags(filter: { enabled: true }, ${args}) BODY }`, item: 'key' };
    const { info } = await read(on, 'first: 3');
    await sql(`UPDATE feature_flags SET enabled = false WHERE key = '${key(2)}'`);
    expect((await read(on, `first: 2, after: "${info.endCursor}"`)).items).toEqual([key(3), key(4)]);
  });

  it.each(['ASC', 'DESC'])(
    'a flag that was changed meanwhile does not move the place: UPDATED_AT, %s',
    async direction => {
      const list = lists.find(({ title }) => title === `flags by UPDATED_AT, ${direction}`) as List;
      const { items: all } = await read(list, `first: ${maxPageSize}`);
      const { info } = await read(list, 'first: 3');
      await sql(`UPDATE feature_flags SET description = 'new' WHERE key = '${all[2]}'`);
      const { items } = await read(list, `first: 3, after: "${info.endCursor}"`);
      expect(items).toEqual(all.slice(3, 6));
    },
  );

  it('the longest values that can be sorted by have a cursor of a bounded length', async () => {
    const name = '\u{10FFFF}'.repeat(200);
    const keys = [`z${'-'.repeat(99)}`, `z${'-'.repeat(98)}0`];
    await sql(`INSERT INTO feature_flags (key, name) VALUES ('${keys[0]}', '${name}'), ('${keys[1]}', '${name}')`);
    const list = {
      document: (args: string) => `{ flags(orderBy: { field: NAME, direction: DESC }, ${args}) BODY }`,
      item: 'key',
    };
    const { cursors } = await read(list, 'first: 1');
    expect(String(cursors[0]).length).toBeLessThanOrEqual(maxOpaqueLength);
    expect((await read(list, `first: 1, after: "${cursors[0]}"`)).items).toEqual([keys[0]]);
  });

  it('places in time are exact to the millisecond that is stored', async () => {
    await sql(
      `UPDATE feature_flags SET created_at = '0001-01-01 00:00:00+00' WHERE key = '${key(3)}'`,
      `UPDATE feature_flags SET created_at = '2024-01-01 00:00:00.9999996+00' WHERE key IN ('${key(1)}', '${key(2)}')`,
    );
    const list = lists.find(({ title }) => title === 'flags by CREATED_AT, ASC') as List;
    const { items: all } = await read({ ...list, item: 'key' }, `first: ${maxPageSize}`);
    expect(all.slice(0, 3)).toEqual([key(3), key(1), key(2)]);
    for (let i = 0; i < 4; i += 1) {
      const { cursors } = await read(list, `first: ${i + 1}`);
      expect((await read(list, `first: 2, after: "${cursors[i]}"`)).items).toEqual(all.slice(i + 1, i + 3));
    }
  });
});

describe('a page in the middle of a long list', () => {
  it.each([
    [
      'group(name: "big") { members(first: 2, after: "CURSOR")',
      'group.members',
      'user_feature_groups_group_name_user_id_idx',
    ],
    [
      'flag(key: "big") { overrides(first: 2, after: "CURSOR")',
      'flag.overrides',
      'feature_flag_overrides_flag_key_user_id_idx',
    ],
    [
      'flag(key: "big") { overrides(last: 2, before: "CURSOR")',
      'flag.overrides',
      'feature_flag_overrides_flag_key_user_id_idx',
    ],
  ])('reads its own rows alone: %s', async (list, name, index) => {
    const database = await createDatabase();
    const api = await openGraphQL({ database: await openDatabase({ url: database.url, reportsQueries: true }) });
    await database.query(`
      INSERT INTO feature_flags (key, name) VALUES ('big', 'Big');
      INSERT INTO users (id) SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, 5000) i;
      INSERT INTO user_feature_groups (user_id, group_name) SELECT id, 'big' FROM users;
      INSERT INTO feature_flag_overrides (user_id, flag_key, enabled) SELECT id, 'big', true FROM users;
      ANALYZE;`);
    const place = user(2_500);
    const cursor = Buffer.from(`${name}\0${place}`).toString('base64url');
    const statements: string[] = [];
    const stop = api.database.onQuery(sql => statements.push(sql));
    await api.data(`{ ${list.replace('CURSOR', cursor)} { nodes { __typename } } } }`);
    stop();
    const slice = statements.find(sql => sql.includes('LATERAL')) as string;
    const values = `'{big}', '{${place}}', '{3}', '${list.includes('before') ? user(999_999) : user(0)}'`;
    const explain = `PREPARE slice AS ${slice}; EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE slice (${values})`;
    const results = (await database.query(explain)) as unknown as { rows: unknown[] }[];
    const plan = JSON.stringify(results[1]?.rows);
    expect(plan).toContain(`"Index Name":"${index}"`);
    const rows = [...plan.matchAll(/"(?:Actual Rows|Rows Removed by [^"]+)":([\d.]+)/g)].map(([, count]) =>
      Number(count),
    );
    expect(Math.max(...rows), plan).toBeLessThan(10);
    await api.close();
    await database.drop();
  });
});

describe('arguments of lists', () => {
  let api: TestGraphQL;

  beforeAll(async () => {
    api = await openGraphQL();
    await api.service.management.createFlag({ key: 'a', name: 'A' });
    await api.service.management.setOverride({ userId: ann, flagKey: 'a', enabled: true });
  });

  afterAll(() => api.close());

  const open = ['flags', 'changes', 'flag(key: "a") { overrides', `user(id: "${ann}") { overrides`];

  it.each(open)('%s that do not go together are refused by name, with what to write', async list => {
    const close = list.includes('{') ? ' }' : '';
    const refusal = async (args: string) => {
      const { errors } = await api.run(`{ ${list}(${args}) { nodes { __typename } }${close} }`);
      expect(errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
      return [errors?.[0]?.extensions['path'], errors?.[0]?.message];
    };
    expect(await refusal('first: 1, before: "x"')).toEqual([
      ['before'],
      'before: `before` reads backwards, and `first` forwards. Write `last` with `before`, or `first` with `after`.',
    ]);
    expect(await refusal('last: 1, after: "x"')).toEqual([
      ['after'],
      'after: `after` reads forwards, and `last` backwards. Write `first` with `after`, or `last` with `before`.',
    ]);
    expect(await refusal('first: 1, last: 1')).toEqual([
      ['last'],
      'last: `first` reads from the start of the list, and `last` from its end. Write one of them.',
    ]);
    expect(await refusal('after: "x", before: "x"')).toEqual([
      ['before'],
      'before: `after` reads forwards, and `before` backwards. Write one of them.',
    ]);
    expect((await refusal('before: "x"'))[0]).toEqual(['before']);
  });

  it('null is as if absent', async () => {
    const { flags } = await api.data('{ flags(first: 1, after: null, last: null, before: null) { nodes { key } } }');
    expect(flags.nodes).toEqual([{ key: 'a' }]);
  });
});
