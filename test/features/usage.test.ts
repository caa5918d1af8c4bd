import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { UnavailableError } from '../../src/core/errors.js';
import { compileFlag, evaluate, flagNotFound } from '../../src/core/evaluate.js';
import { createSubject } from '../../src/core/subject.js';
import type { UsageBatch } from '../../src/core/usage.js';
import { createFeatures } from '../../src/create-features.js';
import { FeatureService } from '../../src/features/service.js';
import {
  CountedQuestions,
  mostWaitingCounts,
  UncountedQuestions,
  UsageCounter,
} from '../../src/features/usage-counter.js';
import { maxRememberedReports, reportInterval, UsageReports } from '../../src/features/usage-reports.js';
import { UsageWriter } from '../../src/features/usage-writer.js';
import { requireFeature } from '../../src/gate/require-feature.js';
import { cleanups } from '../support/cleanups.js';
import { newFlag } from '../support/flags.js';
import { until } from '../support/wait.js';

const hour = 3_600_000;
const noon = Date.parse('2026-06-01T12:00:00Z');
const nobody = createSubject({
  userId: null,
  targetingKey: null,
  device: null,
  attributes: {},
  groups: new Set(),
  overrides: new Map(),
});

const answerOf = (key: string, fields: object = {}) =>
  evaluate(compileFlag(newFlag(key, { enabled: true, ...fields })), nobody, noon);

/** Counts by flag, hour after noon, reason and variant. */
const short = ({ flags }: Pick<UsageBatch, 'flags'>) =>
  flags.map(({ flagKey, hour: at, reason, variant, count }) => [flagKey, (at - noon) / hour, reason, variant, count]);

describe('the counter', () => {
  it('counts by flag, hour, reason and variant, also over definitions that change', () => {
    const counter = new UsageCounter();
    const [on, off] = [answerOf('a'), answerOf('a', { enabled: false })];
    for (const answer of [on, on, off, answerOf('a'), answerOf('b')]) counter.onNamed(answer, noon + 5);
    counter.onNamed(on, noon + hour);
    expect(short(counter.take()).sort()).toEqual([
      ['a', 0, 'DISABLED', 'off', 1],
      ['a', 0, 'ENABLED', 'on', 3],
      ['a', 1, 'ENABLED', 'on', 1],
      ['b', 0, 'ENABLED', 'on', 1],
    ]);
    expect(counter.take()).toEqual({ flags: [], maps: [] });
  });

  it('keeps the time of the last question', () => {
    const counter = new UsageCounter();
    const answer = answerOf('a');
    for (const at of [noon, noon + 17, noon + 3_599_999]) counter.onNamed(answer, at);
    expect(counter.take().flags).toMatchObject([{ hour: noon, count: 3, lastAt: noon + 3_599_999 }]);
  });

  it('counts no flag that does not exist', () => {
    const counter = new UsageCounter();
    counter.onNamed(flagNotFound('nope', true), noon);
    expect(counter.take().flags).toEqual([]);
  });

  it('counts maps apart, and notes what is not counted', () => {
    const counter = new UsageCounter();
    counter.onMap(noon);
    counter.onMap(noon + 1);
    counter.onUncounted(noon + hour);
    counter.onHour(noon + 2 * hour);
    expect(counter.take()).toEqual({
      flags: [],
      maps: [
        { hour: noon, count: 2, isUncounted: false },
        { hour: noon + hour, count: 0, isUncounted: true },
        { hour: noon + 2 * hour, count: 0, isUncounted: false },
      ],
    });
  });

  it('keeps a bounded number of counts, and says how many questions it lost', () => {
    const counter = new UsageCounter();
    const answer = answerOf('a');
    for (let n = 0; n < mostWaitingCounts + 5; n++) counter.onNamed({ ...answer, key: `k${n}` }, noon);
    counter.onNamed({ ...answer, key: 'k0' }, noon);
    const { flags } = counter.take();
    expect(flags).toHaveLength(mostWaitingCounts);
    expect(flags[0]).toMatchObject({ flagKey: 'k0', count: 2 });
    expect(counter.takeLost()).toBe(5);
    expect(counter.takeLost()).toBe(0);
  });

  it('counts the questions of an operation again when its answer is given again, in the hour of that', () => {
    const counter = new UsageCounter();
    let now = noon;
    const questions = new CountedQuestions(counter, () => now);
    questions.onNamed(answerOf('a'), now);
    questions.onMap(now);
    now += hour;
    questions.repeat();
    questions.repeat();
    const counts = counter.take();
    expect(short(counts)).toEqual([
      ['a', 0, 'ENABLED', 'on', 1],
      ['a', 1, 'ENABLED', 'on', 2],
    ]);
    expect(counts.maps.map(({ count }) => count)).toEqual([1, 2]);
  });

  it('counts nothing of an anonymous caller', () => {
    const counter = new UsageCounter();
    const questions = new UncountedQuestions(counter, () => noon);
    questions.onNamed(answerOf('a'), noon);
    questions.onMap(noon);
    questions.repeat();
    expect(counter.take()).toEqual({ flags: [], maps: [{ hour: noon, count: 0, isUncounted: true }] });
  });
});

describe('the writer', () => {
  /** A store whose answers a test gives, and a clock that it sets. */
  function stage(answers: ('stored' | 'refused' | 'unknown')[] = []) {
    const counter = new UsageCounter();
    const backend = new MemoryBackend();
    const sent: UsageBatch[] = [];
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, error() {}, warn: (_: object, text?: string) => warnings.push(String(text)) };
    const clock = { now: noon };
    const writer = new UsageWriter({
      counter,
      backend: {
        async addUsage(batch) {
          sent.push(batch);
          const answer = answers.shift() ?? 'stored';
          if (answer !== 'refused') await backend.addUsage(batch);
          if (answer !== 'stored') throw new UnavailableError('The database is away.');
        },
      },
      hasStreams: () => false,
      interval: 1,
      log: log as never,
      now: () => clock.now,
    });
    const stored = async (key: string) => {
      const flag = (await backend.getFlag(key)) as { id: string };
      const [points] = await backend.usage([{ flagId: flag.id, since: noon, until: noon + hour, interval: 'HOUR' }]);
      return points?.[0]?.count ?? 0;
    };
    return { counter, backend, sent, warnings, writer, stored, clock };
  }

  it('writes what was counted, and at the end what was counted since', async () => {
    const { counter, backend, writer, stored } = stage();
    await backend.createFlag(newFlag('a'), null);
    counter.onNamed(answerOf('a'), noon);
    await until(async () => (await stored('a')) === 1, 'the first count is stored');
    counter.onNamed(answerOf('a'), noon);
    await writer.close();
    expect(await stored('a')).toBe(2);
  });

  it('writes a batch again that was refused, with what was counted meanwhile in later batches', async () => {
    const { counter, backend, writer, stored, sent, warnings } = stage(['refused', 'refused', 'refused']);
    await backend.createFlag(newFlag('a'), null);
    counter.onNamed(answerOf('a'), noon);
    await until(() => sent.length >= 3, 'three attempts failed');
    for (let n = 0; n < 5; n++) counter.onNamed(answerOf('a'), noon);
    await until(async () => (await stored('a')) === 6, 'all is stored');
    await writer.close();
    expect(await stored('a')).toBe(6);
    expect(new Set(sent.slice(0, 3).map(({ number }) => number)).size).toBe(1);
    expect(warnings).toEqual(['Counts of usage could not be written. They are kept and written later.']);
  });

  it('adds a batch once of which nobody knew whether it was stored', async () => {
    const { counter, backend, writer, stored } = stage(['unknown', 'unknown']);
    await backend.createFlag(newFlag('a'), null);
    counter.onNamed(answerOf('a'), noon);
    counter.onNamed(answerOf('a'), noon);
    await writer.close();
    expect(await stored('a')).toBe(2);
  });

  it('adds each of several batches once, whichever fails', async () => {
    const { counter, backend, writer, stored, sent } = stage(['stored', 'unknown', 'refused']);
    const keys = Array.from({ length: 1_200 }, (_, n) => `k${n}`);
    for (const key of keys) {
      await backend.createFlag(newFlag(key), null);
      counter.onNamed(answerOf(key), noon);
    }
    await until(() => sent.length >= 5, 'all batches were tried again');
    await writer.close();
    for (const key of keys) expect(await stored(key)).toBe(1);
    expect(Math.max(...sent.map(({ flags }) => flags.length))).toBe(500);
  });

  it('says how much is lost if the last write fails', async () => {
    const { counter, backend, writer, warnings } = stage(Array(1_000).fill('refused'));
    await backend.createFlag(newFlag('a'), null);
    counter.onNamed(answerOf('a'), noon);
    counter.onNamed(answerOf('a'), noon);
    await writer.close();
    expect(warnings.at(-1)).toBe('Counts of usage could not be written before the end. They are lost.');
  });

  it('notes each hour in which it counts, once', async () => {
    const { backend, writer, sent, clock } = stage();
    await until(() => sent.length === 1, 'the first hour is noted');
    expect(sent[0]?.maps).toEqual([{ hour: noon, count: 0, isUncounted: false }]);
    clock.now = noon + hour;
    await until(() => sent.length === 2, 'the next hour is noted');
    await writer.close();
    expect(sent).toHaveLength(2);
    expect(await backend.mapUsage()).toMatchObject({ countedSince: noon });
  });
});

describe('reports', () => {
  it('count once a minute for each caller and flag', () => {
    const reports = new UsageReports();
    expect(reports.accept('ann', ['a', 'b', 'a'], 0)).toEqual(['a', 'b']);
    expect(reports.accept('ann', ['b', 'c'], reportInterval - 1)).toEqual(['c']);
    expect(reports.accept('bob', ['b'], reportInterval - 1)).toEqual(['b']);
    expect(reports.accept('ann', ['a'], reportInterval)).toEqual(['a']);
  });

  it('of any number of callers are remembered in bounded memory', () => {
    const reports = new UsageReports();
    let counted = 0;
    for (let n = 0; n < maxRememberedReports + 10; n++) counted += reports.accept(`caller ${n}`, ['a'], 0).length;
    expect(counted).toBe(maxRememberedReports);
    expect(reports.accept('ann', ['a'], reportInterval)).toEqual(['a']);
  });
});

describe('a program', () => {
  async function open() {
    const backend = new MemoryBackend();
    const features = await createFeatures({ backend, usageInterval: 1 });
    cleanups.push(() => features.close());
    await backend.createFlag(newFlag('a', { enabled: true }), null);
    await until(async () => (await features.for(null).explain('a')).enabled, 'the flag is known');
    const { id } = (await backend.getFlag('a')) as { id: string };
    const count = async () => {
      const range = { since: Date.now() - hour, until: Date.now() + hour, interval: 'DAY' } as const;
      const [points = []] = await backend.usage([{ flagId: id, ...range }]);
      return points.reduce((sum, point) => sum + point.count, 0);
    };
    return { backend, features, count };
  }

  it('counts each question that names a flag, also for anonymous users', async () => {
    const { features, count } = await open();
    const ann = features.for({ id: 'ann' });
    await ann.isEnabled('a');
    await ann.evaluate('a');
    await ann.value('a', false);
    await ann.require('a');
    await features.isEnabled('a');
    await requireFeature('a', { features })(() => 'done')();
    await until(async () => (await count()) === 6, 'six questions are counted');
  });

  it('counts explanations, maps and streams as no use, and notes the maps and streams', async () => {
    const { features, count, backend } = await open();
    await features.getAll();
    await features.values();
    await features.snapshot();
    await features.explain('a');
    await until(async () => (await backend.mapUsage()).lastMap !== null, 'the maps are stored');
    expect(await backend.mapUsage()).toMatchObject({ lastUncounted: null });
    features.watch(null, () => {})();
    await until(async () => (await backend.mapUsage()).lastUncounted !== null, 'the stream is noted');
    expect(await count()).toBe(0);
  });

  it('notes streams in each hour in which they are open', async () => {
    let now = noon;
    const backend = new MemoryBackend({ now: () => new Date(now) });
    const service = await FeatureService.open({ backend, usageInterval: 1, now: () => now });
    cleanups.push(() => service.close());
    const updates = service.subscribe({});
    await updates.next();
    now += 5 * hour;
    await until(async () => (await backend.mapUsage()).lastUncounted === noon + 5 * hour, 'the later hour is noted');
    await updates.return?.();
  });
});
