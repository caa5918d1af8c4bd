import type * as Evaluate from '../../src/core/evaluate.js';
import type * as SubjectModule from '../../src/core/subject.js';
import { type BenchFlag, changingKey } from './flags.js';
import type { Sample } from './load-plan.js';
import { userId } from './tokens.js';
import { readUsers } from './users.js';

/** The built package, as an installation runs it; the types come from the sources. */
const built = '../../dist/core/';
const { compileFlag, evaluate } = (await import(`${built}evaluate.js`)) as typeof Evaluate;
const { createSubject } = (await import(`${built}subject.js`)) as typeof SubjectModule;

/** The answers that one body holds, by key. */
export type Answers = ReadonlyMap<string, { readonly enabled: boolean; readonly reason?: string }>;

/** How a contestant's answers are read, and which of the flags it must answer like the reference. */
export interface AnswerForm {
  read(body: string): Answers;
  /** Only these are compared; by default all but the one that changes. */
  readonly compares?: (flag: BenchFlag) => boolean;
}

interface Asked {
  readonly flags: readonly BenchFlag[];
  readonly databaseUrl: string;
  readonly form: AnswerForm;
}

/**
 * Compares sampled answers with `core/evaluate` over the same flags and the users as they are stored.
 *
 * @returns how many single answers were compared.
 */
export async function checkAnswers(samples: readonly Sample[], { flags, databaseUrl, form }: Asked): Promise<number> {
  const compared = flags
    .filter(({ definition }) => definition.key !== changingKey)
    .filter(form.compares ?? (() => true));
  const compiled = compared.map(({ definition }) => compileFlag(definition));
  const faulty = compiled.find(({ faults }) => faults.length > 0);
  if (faulty !== undefined) throw new Error(`The flag ${faulty.key} is not valid.`);
  const users = await readUsers(
    databaseUrl,
    samples.map(({ user }) => user),
  );
  for (const [index, { user, body }] of samples.entries()) {
    const { attributes, groups } = users[index] as (typeof users)[number];
    const subject = createSubject({ userId: userId(user), attributes, groups: new Set(groups) });
    const answers = form.read(body);
    for (const flag of compiled) {
      const expected = evaluate(flag, subject, Date.now());
      const answer = answers.get(flag.key);
      if (answer?.enabled !== expected.enabled || (answer.reason ?? expected.reason) !== expected.reason) {
        const said = JSON.stringify(answer);
        throw new Error(`User ${user}, flag ${flag.key}: expected ${JSON.stringify(expected)}, was answered ${said}.`);
      }
    }
  }
  return samples.length * compiled.length;
}

interface ViewerAnswer {
  readonly data: {
    readonly viewer: {
      readonly featureMap?: Readonly<Record<string, boolean>>;
      readonly features?: readonly { readonly key: string; readonly enabled: boolean; readonly reason: string }[];
    };
  };
}

/** `{ viewer { featureMap } }`. */
export const mapForm: AnswerForm = {
  read: body => {
    const { featureMap = {} } = (JSON.parse(body) as ViewerAnswer).data.viewer;
    return new Map(Object.entries(featureMap).map(([key, enabled]) => [key, { enabled }]));
  },
};

/** The answer of OFREP with all flags. */
export const ofrepForm: AnswerForm = {
  read: body => {
    const { flags } = JSON.parse(body) as {
      flags: { key: string; value: boolean; metadata: { halyardReason: string } }[];
    };
    return new Map(flags.map(({ key, value, metadata }) => [key, { enabled: value, reason: metadata.halyardReason }]));
  },
};

/** `{ viewer { features { key enabled reason } } }`. */
export const featuresForm: AnswerForm = {
  read: body => {
    const { features = [] } = (JSON.parse(body) as ViewerAnswer).data.viewer;
    return new Map(features.map(feature => [feature.key, feature]));
  },
};

/**
 * The frontend API of unleash-server, which lists the flags that are on. It puts users into rollouts by another hash, so that flags
 * with a percentage are not compared.
 */
export const unleashForm = (flags: readonly BenchFlag[]): AnswerForm => ({
  read: body => {
    const { toggles } = JSON.parse(body) as { toggles: readonly { name: string; enabled: boolean }[] };
    const on = new Set(toggles.filter(({ enabled }) => enabled).map(({ name }) => name));
    return new Map(flags.map(({ definition: { key } }) => [key, { enabled: on.has(key) }]));
  },
  compares: ({ definition }) => definition.percentage === 100,
});
