import { type Attack, act, type Draws } from '../attack.js';
import { outcomeOf } from '../http.js';
import { everyWay } from '../ways.js';

// Documents that are large, or that make much of little.

/** What a document may have any amount of without meaning more. */
const fillers = [
  { name: 'blanks', unit: ' ' },
  { name: 'newlines', unit: '\n' },
  { name: 'commas', unit: ',' },
  { name: 'byte order marks', unit: '\ufeff' },
  { name: 'comments', unit: '# a comment that says nothing\n' },
] as const;

/** So many bytes of it, as they are sent in JSON. */
function filled(unit: string, bytes: number): string {
  return unit.repeat(Math.floor(bytes / (Buffer.byteLength(JSON.stringify(unit)) - 2)));
}

const numbered = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index)).join(' ');

const wrongFields = (count: number) => numbered(count, index => `wrong${index}`);

/** Documents that are refused for what they would cost, by what they have too many of. */
const costly: Readonly<Record<string, (draws: Draws) => string>> = {
  tokens: ({ between }) => `{ ${'__typename '.repeat(between(2_000, 80_000))} }`,
  aliases: ({ between }) => `{ ${numbered(between(101, 600), index => `a${index}: isEnabled(key: "a")`)} }`,
  directives: ({ between }) => `{ __typename ${'@include(if: true) '.repeat(between(60, 300))} }`,
  levels: ({ between }) => {
    const depth = between(200, 900);
    return `{ ${'viewer { '.repeat(depth)} id ${'} '.repeat(depth + 1)}`;
  },
  'levels that never end': ({ between }) => '{ viewer '.repeat(between(5_000, 100_000)),
  'levels of lists': ({ between }) => `{ isEnabled(key: ${'['.repeat(between(5_000, 400_000))}`,
  'levels of fragments': ({ between }) => {
    const count = between(20, 60);
    const fragments = numbered(count, index => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`);
    return `{ ...f0 } ${fragments} fragment f${count} on Query { __typename }`;
  },
  'fragments in a circle': ({ between }) => {
    const count = between(3, 100);
    return `{ ...f0 } ${numbered(count, index => `fragment f${index} on Query { ...f${(index + 1) % count} }`)}`;
  },
  'aliases of __schema': ({ between }) =>
    `{ ${numbered(between(100, 100), index => `a${index}: __schema { types { name description fields { name } } }`)} }`,
  'aliases of types': ({ between }) =>
    `{ __schema { ${numbered(between(60, 98), index => `a${index}: types { name fields { name description args { name } } }`)} } }`,
  'aliases of __type': ({ between }) =>
    `{ ${numbered(between(60, 95), index => `a${index}: __type(name: "Query") { fields { name args { name description type { name ofType { name } } } } }`)} }`,
};

export const documents: readonly Attack[] = [
  ...fillers.flatMap(({ name, unit }) =>
    everyWay({
      name: `a document of ${name}`,
      weight: 1,
      expected: ['refused once'],
      draw: ({ between }, ask) => {
        const bytes = between(130_000, 980_000);
        return act({ bytes }, stage => ask(stage, { query: `{ __typename ${filled(unit, bytes)} }` }));
      },
    }),
  ),
  ...fillers.flatMap(({ name, unit }) =>
    everyWay({
      name: `a document of ${name} with wrong fields`,
      weight: 1,
      expected: ['refused once'],
      draw: ({ between }, ask) => {
        const bytes = between(130_000, 980_000);
        const fields = between(5, 100);
        const query = `{ ${filled(unit, bytes)} ${wrongFields(fields)} }`;
        return act({ bytes, fields }, stage => ask(stage, { query }));
      },
    }),
  ),
  ...everyWay({
    name: 'a short document with wrong fields',
    weight: 1,
    expected: ['refused'],
    draw: ({ between }, ask) => {
      const fields = between(1, 100);
      const query = `{ ${filled('\n', between(0, 10_000))} ${wrongFields(fields)} }`;
      return act({ fields }, stage => ask(stage, { query }));
    },
  }),
  ...['field', 'alias', 'variable', 'operation', 'text'].flatMap(what =>
    everyWay({
      name: `a document with a long ${what}`,
      weight: 0.6,
      expected: ['refused once'],
      draw: ({ between }, ask) => {
        // A variable's name stands there twice.
        const length = between(100_000, 480_000);
        const name = 'a'.repeat(length);
        const query = {
          field: `{ ${name} }`,
          alias: `{ ${name}: __typename }`,
          variable: `query ($${name}: Boolean!) { __typename @include(if: $${name}) }`,
          operation: `query ${name} { __typename }`,
          text: `{ isEnabled(key: "${name}") }`,
        }[what] as string;
        return act({ length }, stage => ask(stage, { query }));
      },
    }),
  ),
  ...Object.entries(costly).flatMap(([what, draw]) =>
    everyWay({
      name: `a document with many ${what}`,
      weight: 0.6,
      expected: ['refused once'],
      draw: (draws, ask) => {
        const query = draw(draws);
        return act({ characters: query.length }, stage => ask(stage, { query }));
      },
    }),
  ),
  ...everyWay({
    name: 'a document of any characters',
    weight: 1,
    expected: ['refused'],
    draw: ({ random, between }, ask) => {
      const characters = '{}()[]!:=|@$&"\\#., \n\u0000\ud83c\u2028abc019_-';
      const query = Array.from({ length: between(50, 2_000) }, () => random.pick([...characters])).join('');
      return act({ query: query.slice(0, 100) }, stage => ask(stage, { query }));
    },
  }),
  {
    name: 'a GET with a long document',
    weight: 0.5,
    expected: ['refused', 'cut'],
    draw: ({ between }) => {
      const length = between(20_000, 200_000);
      const path = `/graphql?query=${encodeURIComponent(`{ __typename ${' '.repeat(length)} }`)}`;
      return act({ length }, stage => outcomeOf(stage, { method: 'GET', path }));
    },
  },
];
