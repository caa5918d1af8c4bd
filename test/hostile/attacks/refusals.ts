import { type Attack, act, type Draws, type Outcome } from '../attack.js';
import { inGroups } from '../groups.js';
import { askHttp, bearer, type HostileRequest, outcomeOf } from '../http.js';
import { HostileSocket, UpgradeRefused } from '../socket.js';

// Floods of what is refused: each is answered, shortly, and nothing stays.

/** What is refused in this way, each time; the first outcome that is another one is the outcome. */
async function flood<T>(items: readonly T[], right: string, once: (item: T) => Promise<Outcome>): Promise<Outcome> {
  const outcomes = await inGroups(items, 10, once);
  return outcomes.find(outcome => !outcome.startsWith(right)) ?? right;
}

const body = JSON.stringify({ query: '{ __typename }' });

interface Refusal {
  readonly what: string;
  readonly outcome: string;
  readonly draw: (draws: Draws) => HostileRequest;
}

const refusals: readonly Refusal[] = [
  {
    what: 'wrong fields',
    outcome: 'refused',
    draw: ({ random }) => ({
      body: JSON.stringify({ query: `{ viewer { ${random.pick(['name', 'flags', 'ids'])} } }` }),
    }),
  },
  {
    what: 'wrong variables',
    outcome: 'refused once: BAD_USER_INPUT',
    draw: ({ random }) => {
      const key = random.pick<unknown>([1, null, [], {}, true]);
      return { body: JSON.stringify({ query: 'query ($key: String!) { isEnabled(key: $key) }', variables: { key } }) };
    },
  },
  {
    what: 'keys that are too long',
    outcome: 'refused once: BAD_USER_INPUT',
    draw: ({ random, between }) => {
      const key = 'a'.repeat(between(300, 5_000) + random.integer(0, 9));
      return { body: JSON.stringify({ query: 'query ($key: String!) { isEnabled(key: $key) }', variables: { key } }) };
    },
  },
  {
    what: 'unknown operations',
    outcome: 'refused once',
    draw: ({ random }) => {
      const query = random.pick([
        'query a { __typename }',
        'query a { __typename } query b { __typename }',
        'fragment a on Query { __typename }',
      ]);
      return { body: JSON.stringify({ query, operationName: random.pick(['c', 'A', '__proto__']) }) };
    },
  },
  {
    what: 'fields of admins',
    outcome: 'refused once',
    draw: ({ random }) => {
      const field = random.pick(['flags { nodes { key } }', 'groups { nodes { name } }', 'changes { nodes { kind } }']);
      return { body: JSON.stringify({ query: `{ ${field} }` }) };
    },
  },
  {
    what: 'mutations of strangers',
    outcome: 'refused once',
    draw: () => ({ body: JSON.stringify({ query: 'mutation { deleteFlag(input: { key: "a" }) { __typename } }' }) }),
  },
  {
    what: 'tokens that are none',
    outcome: 'refused once: UNAUTHENTICATED',
    draw: ({ random, between }) => {
      const token = random.pick([
        'a.b.c',
        'e30.e30.e30',
        'eyJhbGciOiJub25lIn0.e30.',
        '..',
        'a'.repeat(between(100, 8_000)),
      ]);
      return { headers: bearer(token), body };
    },
  },
  {
    what: 'other ways to say who one is',
    outcome: 'refused once: UNAUTHENTICATED',
    draw: ({ random }) => ({ headers: { authorization: random.pick(['Basic YTpi', 'Bearer', 'a', '"']) }, body }),
  },
  {
    what: 'unknown paths',
    outcome: 'refused once: NOT_FOUND',
    draw: ({ random, between }) => {
      const path = random.pick([
        '/graphq',
        '/graphql/',
        '//graphql',
        '/.env',
        '/%00',
        '/%',
        `/${'a'.repeat(between(10, 10_000))}`,
      ]);
      return { method: random.pick(['GET', 'POST', 'PUT']), path, body: '' };
    },
  },
  {
    what: 'other methods',
    outcome: 'refused',
    draw: ({ random }) => ({ method: random.pick(['PUT', 'DELETE', 'PATCH', 'PROPFIND', 'TRACE']) }),
  },
  {
    what: 'mutations by GET',
    outcome: 'refused',
    draw: () => ({
      method: 'GET',
      path: `/graphql?query=${encodeURIComponent('mutation { deleteFlag(input: { key: "a" }) { __typename } }')}`,
    }),
  },
  {
    what: 'other media types',
    outcome: 'refused once: UNSUPPORTED_MEDIA_TYPE',
    draw: ({ random }) => {
      const type = random.pick([
        'text/plain',
        'multipart/form-data; boundary=a',
        'application/x-www-form-urlencoded',
        'a',
        '',
      ]);
      return { headers: { 'content-type': type }, body };
    },
  },
  {
    what: 'answers of no known type',
    outcome: 'refused once: NOT_ACCEPTABLE',
    draw: ({ random }) => ({ headers: { accept: random.pick(['image/png', 'text/plain', 'a/b;q=0']) }, body }),
  },
  {
    what: 'bodies in another encoding',
    outcome: 'refused once: UNSUPPORTED_MEDIA_TYPE',
    draw: ({ random }) => ({
      headers: { 'content-encoding': random.pick(['gzip', 'br', 'zstd']) },
      body: Buffer.alloc(1_000, 7),
    }),
  },
];

const foreign = ['http://evil.example', 'null', 'https://app.example.com.evil.example', 'HTTPS://APP.EXAMPLE.COM:1'];

export const refused: readonly Attack[] = [
  ...refusals.map(
    ({ what, outcome, draw }): Attack => ({
      name: `a flood of ${what}`,
      weight: 0.5,
      expected: [outcome],
      draw: draws => {
        const requests = Array.from({ length: draws.between(10, 200) }, () => draw(draws));
        return act({ requests: requests.length }, stage =>
          flood(requests, outcome, request => outcomeOf(stage, request)),
        );
      },
    }),
  ),
  {
    name: 'a flood of tokens by another secret or past their time',
    weight: 0.5,
    expected: ['refused once: UNAUTHENTICATED'],
    draw: ({ random, between }) => {
      const userIds = Array.from({ length: between(10, 100) }, () => random.uuid());
      const isExpired = random.chance(0.5);
      return act({ tokens: userIds.length, isExpired }, stage =>
        flood(userIds, 'refused once: UNAUTHENTICATED', async userId => {
          const token = await stage.token({ userId, ...(isExpired ? { expiresInSeconds: -60 } : {}) });
          return askHttp(
            stage,
            { query: '{ __typename }' },
            isExpired ? token : `${token.slice(0, -20)}${'A'.repeat(20)}`,
          );
        }),
      );
    },
  },
  {
    name: 'a flood of upgrades from other origins',
    weight: 0.5,
    expected: ['refused'],
    draw: ({ random, between }) => {
      const origins = Array.from({ length: between(10, 100) }, () => random.pick(foreign));
      return act({ origins: origins.length }, stage =>
        flood(origins, 'refused', async origin => {
          try {
            await HostileSocket.open(stage, { headers: { Origin: origin } });
            return 'wrong: a page of another origin was let in';
          } catch (error) {
            if (error instanceof UpgradeRefused) return error.outcome;
            throw error;
          }
        }),
      );
    },
  },
];
