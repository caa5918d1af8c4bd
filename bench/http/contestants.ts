import { type AnswerForm, checkAnswers, featuresForm, mapForm, ofrepForm, unleashForm } from './check.js';
import type { Requests, Sample } from './load-plan.js';
import {
  drawnRequests,
  executedRequests,
  featuresQuery,
  mapQuery,
  ofrepRequests,
  unleashRequests,
  viewerRequests,
} from './requests.js';
import type { Stage, Staged } from './stage.js';

/** A server that is ready, and the requests for it. */
export interface Ready extends Staged {
  readonly requests: Requests;
  /** Compares answers with the expected ones, and throws if one differs. Returns the number of compared answers. */
  check(samples: readonly Sample[]): Promise<number>;
}

export interface Contestant {
  readonly name: string;
  /** Starts the contestants that are not started yet. */
  prepare(): Promise<Ready>;
}

export const usualFlags = 100;
export const usualUsers = 1_000;
const manyUsers = 100_000;

export const names = {
  map: 'Halyard, featureMap',
  features: 'Halyard, features { key enabled reason }',
  ofrep: 'Halyard, OFREP bulk',
  node: 'bare node:http, the same bytes',
  yoga: 'bare Yoga, a constant map',
  unleash: 'unleash-server, frontend API',
  executed: 'Halyard, an answer that is executed',
  newViewer: 'Halyard, a viewer who is new each time',
} as const;

interface Asked {
  readonly flags?: number;
  readonly users?: number;
  readonly query?: string;
  readonly form?: AnswerForm;
  /** Any stored user asks, not always the same thousand. */
  readonly isDrawn?: boolean;
}

function halyard(
  stage: Stage,
  name: string,
  { flags = usualFlags, users = usualUsers, query = mapQuery, form = mapForm, isDrawn = false }: Asked,
): Contestant {
  const prepare = async () => {
    const staged = await stage.halyard(flags, users);
    return {
      ...staged,
      requests: isDrawn ? drawnRequests(query, stage.secret, users) : viewerRequests(query, stage.secret),
      check: (samples: readonly Sample[]) => checkAnswers(samples, { ...staged, form }),
    };
  };
  return { name, prepare };
}

function asking(stage: Stage, name: string, requests: Requests, form: AnswerForm): Contestant {
  const prepare = async () => {
    const staged = await stage.halyard(usualFlags, usualUsers);
    return {
      ...staged,
      requests,
      check: (samples: readonly Sample[]) => checkAnswers(samples, { ...staged, form }),
    };
  };
  return { name, prepare };
}

function bare(stage: Stage, kind: 'bare-node' | 'bare-yoga', name: string): Contestant {
  const prepare = async () => {
    const original = await stage.halyard(usualFlags, usualUsers);
    const { body } = await stage.answerOf(original);
    const staged = await stage.bare(kind, original);
    // The flag that changes may stand otherwise by now.
    const steady = (text: string) => text.replace(/"changing":(true|false)/, '"changing":?');
    const check = async (samples: readonly Sample[]) => {
      const wrong = samples.find(sample => steady(sample.body) !== steady(body));
      if (wrong !== undefined) throw new Error(`${name} sends other bytes: ${wrong.body}`);
      return samples.length * usualFlags;
    };
    return { ...staged, requests: viewerRequests(mapQuery, stage.secret), check };
  };
  return { name, prepare };
}

function unleash(stage: Stage): Contestant {
  const prepare = async () => {
    const original = await stage.halyard(usualFlags, usualUsers);
    const staged = await stage.unleash(original.flags);
    const form = unleashForm(staged.flags);
    return {
      ...staged,
      requests: unleashRequests(await stage.viewers(original), stage.unleashToken),
      check: (samples: readonly Sample[]) => checkAnswers(samples, { ...original, form }),
    };
  };
  return { name: names.unleash, prepare };
}

/** Everybody with a hundred flags and a thousand users. */
export function contestants(stage: Stage): readonly Contestant[] {
  return [
    halyard(stage, names.map, {}),
    halyard(stage, names.features, { query: featuresQuery, form: featuresForm }),
    asking(stage, names.ofrep, ofrepRequests(stage.secret), ofrepForm),
    bare(stage, 'bare-node', names.node),
    bare(stage, 'bare-yoga', names.yoga),
    unleash(stage),
  ];
}

/** What no answer before can serve: new words, or a viewer out of a hundred thousand with a new token. */
export function firstContact(stage: Stage): readonly Contestant[] {
  return [
    asking(stage, names.executed, executedRequests(stage.secret), mapForm),
    halyard(stage, names.newViewer, { users: manyUsers, isDrawn: true }),
    bare(stage, 'bare-yoga', names.yoga),
    unleash(stage),
  ];
}

const count = (number: number) => number.toLocaleString('en');

/** Halyard with more and more flags. */
export function flagGrowth(stage: Stage): readonly Contestant[] {
  return [10, 100, 1_000].map(flags => halyard(stage, `flags: ${count(flags)}`, { flags }));
}

/** Halyard with more and more stored users: the same thousand ask, then any of them. */
export function userGrowth(stage: Stage, sizes: readonly number[]): readonly Contestant[] {
  return [
    ...sizes.map(users => halyard(stage, `users: ${count(users)} stored, the same 1,000 ask`, { users })),
    ...sizes
      .slice(1)
      .map(users => halyard(stage, `users: ${count(users)} stored, any of them asks`, { users, isDrawn: true })),
  ];
}
