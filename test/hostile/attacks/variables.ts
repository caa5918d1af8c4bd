import { type Attack, act } from '../attack.js';
import { outcomeOf } from '../http.js';
import { chunked } from '../raw-http.js';
import { everyWay } from '../ways.js';

// Variables and bodies: large, of the wrong type, or no JSON at all.

/** So many bytes of small objects: in memory some twenty times as much. */
export const objects = (bytes: number) => Array.from({ length: Math.floor(bytes / 3) }, () => ({}));

const isEnabled = 'query ($default: Boolean) { isEnabled(key: "a", default: $default) }';
const addToGroup =
  'mutation ($ids: [UserID!]!) { addToGroup(input: { group: "g", userIds: $ids }) { __typename ... on Error { code } } }';
const evaluate =
  'query ($contexts: [EvaluationContextInput!]!) { evaluateMany(contexts: $contexts) { features { key } } }';

export const variables: readonly Attack[] = [
  ...everyWay({
    name: 'a variable of the wrong type that repeats "Did you mean"',
    weight: 2,
    expected: ['refused once'],
    draw: ({ between }, ask) => {
      const bytes = between(20_000, 980_000);
      const value = ' Did you mean '.repeat(Math.floor(bytes / 14));
      return act({ bytes }, stage => ask(stage, { query: isEnabled, variables: { default: value } }));
    },
  }),
  ...[
    ['quotes and brackets', '"] at "default[0]"; ?'],
    ['letters', 'a'],
    ['NUL', '\u0000'],
  ].flatMap(([name = '', unit = '']) =>
    everyWay({
      name: `a variable of the wrong type full of ${name}`,
      weight: 1,
      expected: ['refused once'],
      draw: ({ between }, ask) => {
        const bytes = between(20_000, 900_000);
        const value = unit.repeat(Math.floor(bytes / (JSON.stringify(unit).length - 2)));
        return act({ bytes }, stage => ask(stage, { query: isEnabled, variables: { default: value } }));
      },
    }),
  ),
  ...everyWay({
    name: 'many objects for a variable of the wrong type',
    weight: 1,
    expected: ['refused once'],
    draw: ({ between }, ask) => {
      const bytes = between(100_000, 980_000);
      return act({ bytes }, stage => ask(stage, { query: isEnabled, variables: { default: objects(bytes) } }));
    },
  }),
  ...everyWay({
    name: 'many objects for a variable that is not declared',
    weight: 1,
    expected: ['refused once', 'answered'],
    draw: ({ between }, ask) => {
      const bytes = between(100_000, 980_000);
      return act({ bytes }, stage => ask(stage, { query: isEnabled, variables: { other: objects(bytes) } }));
    },
  }),
  ...everyWay({
    name: 'a variable with levels without end',
    weight: 1,
    expected: ['refused', 'answered', 'closed 4400'],
    draw: ({ between }, ask) => {
      const levels = between(2_000, 4_000);
      let value: unknown = 1;
      for (let level = 0; level < levels; level += 1) value = [value];
      return act({ levels }, stage => ask(stage, { query: isEnabled, variables: { default: value } }));
    },
  }),
  ...everyWay({
    name: 'many ids that are no UUIDs',
    weight: 1,
    expected: ['refused'],
    draw: ({ between }, ask) => {
      const ids = Array.from({ length: between(60, 5_000) }, (_, index) => `no UUID ${index}`);
      return act({ ids: ids.length }, stage => ask(stage, { query: addToGroup, variables: { ids } }));
    },
  }),
  ...everyWay({
    name: 'many contexts that are wrong',
    weight: 1,
    expected: ['refused'],
    draw: ({ between }, ask) => {
      const contexts = Array.from({ length: between(60, 5_000) }, (_, index) => ({ wrong: index }));
      return act({ contexts: contexts.length }, stage => ask(stage, { query: evaluate, variables: { contexts } }));
    },
  }),
  ...everyWay({
    name: 'names that every object has',
    weight: 1,
    expected: ['refused', 'answered'],
    draw: ({ random }, ask) => {
      const name = random.pick(['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
      const variables = JSON.parse(`{ "${name}": { "default": true }, "default": true }`) as object;
      const query = `query ($default: Boolean) { viewer { isEnabled(key: "${name}", default: $default) } }`;
      return act({ name }, stage => ask(stage, { query, variables }));
    },
  }),
  {
    name: 'a body that is no JSON',
    weight: 1,
    expected: ['refused once'],
    draw: ({ random, between }) => {
      const length = between(10_000, 980_000);
      const unit = random.pick(['a', '"', '{', '[', '{"a":', '\u0000', '\\', '1']);
      const body = unit.repeat(length / unit.length);
      return act({ length, unit }, stage => outcomeOf(stage, { body }));
    },
  },
  {
    name: 'a body that is no operation',
    weight: 1,
    expected: ['refused once'],
    draw: ({ random, between }) => {
      const count = between(2, 1_000);
      const operation = { query: '{ __typename }' };
      const body = random.pick<unknown>([
        ...[null, true, 1, 'query', [], {}, { query: null }, { query: 1 }, { query: {} }, { query: [] }],
        Array.from({ length: count }, () => operation),
        ...[1, 'a', [1]].map(variables => ({ ...operation, variables })),
        ...[1, 'a', [1]].map(extensions => ({ ...operation, extensions })),
        ...[1, {}, ['a']].map(operationName => ({ ...operation, operationName })),
      ]);
      const text = JSON.stringify(body);
      return act({ body: text.slice(0, 100) }, stage => outcomeOf(stage, { body: text }));
    },
  },
  {
    name: 'a body with unknown keys',
    weight: 0.5,
    expected: ['refused once', 'answered'],
    draw: ({ between }) => {
      const bytes = between(10_000, 900_000);
      const body = JSON.stringify({ query: '{ __typename }', other: objects(bytes), ['x'.repeat(10_000)]: 1 });
      return act({ bytes }, stage => outcomeOf(stage, { body }));
    },
  },
  {
    name: 'a body that is larger than allowed',
    weight: 0.5,
    expected: ['refused once', 'refused with status 413', 'cut'],
    draw: ({ random, between }) => {
      const bytes = between(1_000_001, 8_000_000);
      const isChunked = random.chance(0.5);
      const headers = isChunked ? chunked : {};
      const body = `{"query":"{ __typename }${' '.repeat(bytes)}"}`;
      return act({ bytes, isChunked }, stage => outcomeOf(stage, { headers, body }));
    },
  },
  ...['variables', 'extensions'].map(
    (what): Attack => ({
      name: `a GET with malformed ${what}`,
      weight: 0.5,
      expected: ['refused once'],
      draw: ({ random, between }) => {
        const value = random.pick(['{', '[1]', '1', '"a"', 'a'.repeat(between(100, 8_000)), '%00', '{"a":}']);
        const path = `/graphql?query={__typename}&${what}=${encodeURIComponent(value)}`;
        return act({ value: value.slice(0, 100) }, stage => outcomeOf(stage, { method: 'GET', path }));
      },
    }),
  ),
];
