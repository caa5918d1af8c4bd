import type { Answer, Snapshot, Source, Update } from './types.js';

type Answers = Record<string, Answer>;

/** The highest Int of GraphQL. */
const maxInt = 2 ** 31 - 1;

/** A copy. No key is inherited: `constructor` and `__proto__` are keys like any other. */
const copyOf = (answers?: Answers | false): Answers => Object.assign(Object.create(null), answers);

/** The answers that a client has at the moment. */
export interface Present extends Snapshot {
  readonly answers: Answers;
  readonly source: Source;
}

export const nothing = (subject: string | null): Present => ({
  subject,
  revision: 0,
  answers: copyOf(),
  source: 'default',
});

const textOf = ({ enabled, value, variant, reason }: Answer): string =>
  JSON.stringify([enabled, value, variant, reason]);

/**
 * Puts answers in the place of others. Those that say the same stay the same objects, and so does the whole if nothing differs.
 * @returns the answers, and the keys of those that differ.
 */
export function mergeAnswers(before: Answers, next: Answers): [Answers, string[]] {
  const merged = copyOf(next);
  const changed = Object.keys({ ...before, ...next }).filter(key => {
    const [old, answer] = [before[key], next[key]];
    if (!old || !answer || textOf(old) !== textOf(answer)) return true;
    merged[key] = old;
    return false;
  });
  return [changed.length ? merged : before, changed];
}

/** The answers after an update. An answer of a flag that does not exist is none. */
export function updatedAnswers(before: Answers, { snapshot, features, removed }: Update): Answers {
  const answers = copyOf(!snapshot && before);
  for (const { key, ...answer } of features) {
    answers[key] = answer;
    if (answer.reason === 'FLAG_NOT_FOUND') delete answers[key];
  }
  for (const key of removed) delete answers[key];
  return answers;
}

/**
 * Answers that came from somewhere, such as a storage or a server.
 * @throws TypeError if they are not as `Client.snapshot` gives them for this subject.
 */
export function readSnapshot(kept: Snapshot, expected: string | null, source: Source): Present {
  const { subject, revision, answers } = kept;
  const isAnswer = ({ enabled }: Answer) => typeof enabled === 'boolean';
  // A revision is an Int of GraphQL: the server would refuse another one again and again.
  if (subject !== expected || (revision & maxInt) !== revision || !Object.values(answers).every(isAnswer)) {
    throw new TypeError('no snapshot');
  }
  return { ...kept, source, answers: copyOf(answers) };
}
