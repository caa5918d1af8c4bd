import { readFileSync } from 'node:fs';
import { AstBuilder, compile, GherkinClassicTokenMatcher, Parser } from '@cucumber/gherkin';
import { IdGenerator, type Pickle, type PickleStep } from '@cucumber/messages';
import type { JsonValue } from '@openfeature/server-sdk';
import { expect } from 'vitest';
import type { Details, FlagType, NamedHook, ProviderState, Subject } from './subjects.js';

export interface Scenario {
  readonly file: string;
  readonly name: string;
  /** The steps in one line, which tells the examples of one outline apart. */
  readonly text: string;
  readonly pickle: Pickle;
}

/** Each example of an outline is a scenario. */
export const scenarios: readonly Scenario[] = ['evaluation', 'evaluation_v2', 'metadata'].flatMap(name => {
  const file = `${name}.feature`;
  const newId = IdGenerator.incrementing();
  const parser = new Parser(new AstBuilder(newId), new GherkinClassicTokenMatcher());
  const document = parser.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
  return compile({ ...document, comments: [] }, file, newId).map(pickle => ({
    file,
    name: pickle.name,
    text: pickle.steps.map(step => step.text).join('; '),
    pickle,
  }));
});

interface Question {
  type: FlagType;
  key: string;
  fallback: JsonValue;
}

/** What the steps of one scenario share. */
class World {
  question: Question = { type: 'Boolean', key: '', fallback: false };
  readonly context: Record<string, JsonValue> = {};
  details: Details | null = null;
  calls: string[] | null = null;
  contextBefore = '';

  constructor(readonly subject: Subject) {}

  get found(): Details {
    if (this.details === null) throw new Error('Nothing was evaluated.');
    return this.details;
  }

  async evaluate(): Promise<void> {
    const { type, key, fallback } = this.question;
    this.contextBefore = JSON.stringify(this.context);
    const hooks = this.calls === null ? undefined : [hookInto(this.calls, 'first'), hookInto(this.calls, 'second')];
    this.details = await this.subject.evaluate(type, key, fallback, this.context, hooks);
  }
}

function hookInto(calls: string[], name: string): NamedHook {
  const note = (stage: string) => () => void calls.push(`${stage} ${name}`);
  return { before: note('before'), after: note('after'), finally: note('finally') };
}

type Step = (world: World, args: string[], step: PickleStep) => void | Promise<void>;

const unescaped = (text: string) => text.replaceAll('\\"', '"');

function parsed(type: string, text: string): JsonValue {
  switch (type.toLowerCase()) {
    case 'string':
      return text;
    case 'boolean':
      return text === 'true';
    case 'object':
      return JSON.parse(unescaped(text));
    default:
      return Number(text);
  }
}

const typeOf = (word: string): FlagType => `${word.charAt(0).toUpperCase()}${word.slice(1).toLowerCase()}` as FlagType;

/** Asks, as the suite of before states it in one step. */
const asks =
  (type: FlagType | null): Step =>
  async (world, args) => {
    const [word, key = '', fallback = ''] = type === null ? args : [type, ...args];
    const asked = typeOf(word ?? '');
    world.question = { type: asked, key, fallback: parsed(asked, fallback) };
    await world.evaluate();
  };

const hasValue: Step = (world, [value = '']) => expect(world.found.value).toEqual(parsed(world.question.type, value));

const hasFields: Step = world =>
  expect(world.found.value).toEqual({ showImages: true, title: 'Check out these pics!', imagesPerPage: 100 });

const steps: readonly (readonly [pattern: RegExp, step: Step])[] = [
  [
    /^an? (stable|not ready|error|fatal|stale) provider$/,
    ({ subject }, [state]) => subject.become(state as ProviderState),
  ],
  [
    /^an? (\w+)-flag with key "(.*)" and a fallback value "(.*)"$/,
    (world, [type = '', key = '', fallback = '']) => {
      world.question = { type: typeOf(type), key, fallback: parsed(type, fallback) };
    },
  ],
  [
    /^a context containing a key "(.*)", with type "(.*)" and with value "(.*)"$/,
    ({ context }, [key = '', type = '', value = '']) => {
      context[key] = parsed(type, value);
    },
  ],
  [
    /^a context containing a key "(.*)" with null value$/,
    ({ context }, [key = '']) => {
      context[key] = null;
    },
  ],
  [/^the flag was evaluated with details( asynchronously| using the evaluation options)?$/, world => world.evaluate()],
  [/^the resolved details value should be "(.*)"$/, hasValue],
  [/^the reason should be "(.*)"$/, (world, [reason]) => expect(world.found.reason).toBe(reason)],
  [/^the error-code should be "(.*)"$/, (world, [code]) => expect(world.found.errorCode).toBe(code)],
  [/^the variant should be "(.*)"$/, (world, [variant]) => expect(world.found.variant).toBe(variant)],
  [/^the flag key should be "(.*)"$/, (world, [key]) => expect(world.found.flagKey).toBe(key)],
  [/^the provider status should be "(.*)"$/, ({ subject }, [status]) => expect(subject.status()).toBe(status)],
  [
    /^the resolved metadata should contain$/,
    (world, _args, { argument }) => {
      const [, ...rows] = argument?.dataTable?.rows.map(({ cells }) => cells.map(({ value }) => value)) ?? [];
      const wanted = rows.map(([key = '', type = '', value = '']) => [key, parsed(type, value)]);
      expect(world.found.flagMetadata).toMatchObject(Object.fromEntries(wanted));
    },
  ],
  [/^the resolved metadata is empty$/, world => expect(world.found.flagMetadata).toEqual({})],
  [
    /^evaluation options containing specific hooks$/,
    world => {
      world.calls = [];
    },
  ],
  [/^the specified hooks should execute during evaluation$/, ({ calls }) => expect(calls).toHaveLength(6)],
  [
    /^the hook order should be maintained$/,
    ({ calls }) =>
      expect(calls).toEqual([
        'before first',
        'before second',
        'after second',
        'after first',
        'finally second',
        'finally first',
      ]),
  ],
  [
    /^an evaluation context with modifiable data$/,
    ({ context }) => {
      context['data'] = { list: [1] };
    },
  ],
  [
    /^the original evaluation context should remain unmodified$/,
    ({ context, contextBefore }) => expect(JSON.stringify(context)).toBe(contextBefore),
  ],
  [
    /^the evaluation details should be immutable$/,
    world => expect(world.found.flagMetadata).toSatisfy(Object.isFrozen),
  ],
  [/^the evaluation should complete without blocking$/, world => expect(world.found).toBeDefined()],

  // The suite of before.
  [
    /^an? (boolean|string|integer|float) flag with key "(.*?)" is evaluated with (?:details and )?default value "?(.*?)"?$/,
    asks(null),
  ],
  [
    /^an object flag with key "(.*?)" is evaluated with (?:details and )?a null default value$/,
    (world, [key = '']) => asks('Object')(world, [key, 'null'], {} as PickleStep),
  ],
  [/^the resolved (?:boolean|string|integer|float) value should be "?(.*?)"?$/, hasValue],
  [
    /^the resolved (?:boolean|string|integer|float) details value should be "?(.*?)"?, the variant should be "(.*)", and the reason should be "(.*)"$/,
    (world, [value = '', variant, reason]) => {
      expect(world.found).toMatchObject({ value: parsed(world.question.type, value), variant, reason });
    },
  ],
  [/^the resolved object (?:details )?value should be contain fields/, hasFields],
  [
    /^the variant should be "(.*)", and the reason should be "(.*)"$/,
    (world, [variant, reason]) => expect(world.found).toMatchObject({ variant, reason }),
  ],
  [
    /^context contains keys "fn", "ln", "age", "customer" with values "(.*)", "(.*)", (\d+), "(.*)"$/,
    ({ context }, [fn = '', ln = '', age, customer]) => {
      Object.assign(context, { fn, ln, age: Number(age), customer: customer === 'true' });
    },
  ],
  [/^a flag with key "(.*)" is evaluated with default value "(.*)"$/, asks('String')],
  [/^the resolved string response should be "(.*)"$/, hasValue],
  [
    /^the resolved flag value is "(.*)" when the context is empty$/,
    async (world, [value]) => {
      for (const key of Object.keys(world.context)) delete world.context[key];
      await world.evaluate();
      expect(world.found.value).toBe(value);
    },
  ],
  [
    /^a non-existent string flag with key "(.*)" is evaluated with details and a fallback value "(.*)"$/,
    asks('String'),
  ],
  [
    /^a string flag with key "(.*)" is evaluated as an integer, with details and a fallback value (\d+)$/,
    asks('Integer'),
  ],
  [
    /^the default (?:string|integer) value should be returned$/,
    world => expect(world.found.value).toEqual(world.question.fallback),
  ],
  [
    /^the reason should indicate an error and the error code should indicate .* with "(.*)"$/,
    (world, [errorCode]) => expect(world.found).toMatchObject({ reason: 'ERROR', errorCode }),
  ],
];

export async function play({ pickle }: Scenario, subject: Subject): Promise<void> {
  const world = new World(subject);
  for (const step of pickle.steps) {
    // The last one that fits: "the variant should be" is the beginning of a longer step.
    const fitting = steps.flatMap(([pattern, run]) => {
      const match = pattern.exec(step.text);
      return match === null ? [] : [() => run(world, match.slice(1), step)];
    });
    const run = fitting.at(-1);
    if (run === undefined) throw new TypeError(`No step is known for "${step.text}".`);
    await run();
  }
}
