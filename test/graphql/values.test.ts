import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/auth/caller.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { createFeatures } from '../../src/create-features.js';
import { Draw, randomFlag, randomSubject } from '../core/random-flag.js';
import { type ReferenceFlag, type ReferenceSubject, referenceEvaluate } from '../core/reference-flag.js';
import { newFlag } from '../support/flags.js';
import { ann, bob, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
});

afterAll(() => api.close());

afterEach(async () => {
  const { flags } = await api.database.definitions();
  for (const { key } of flags) await api.service.management.deleteFlag({ key });
});

const flagFields = `flag { key version type variants { key value weight } offVariant bucketBy
  rules { id when percentage on serve { variant weight } } }`;
const createFlag = async (input: object) =>
  (
    await api.data(
      `mutation($input: CreateFlagInput!) { createFlag(input: $input) { ... on CreateFlagPayload { ${flagFields} } ... on Error { message } } }`,
      { input },
    )
  ).createFlag;
const updateFlag = async (input: object) =>
  (
    await api.data(
      `mutation($input: UpdateFlagInput!) { updateFlag(input: $input) { ... on UpdateFlagPayload { ${flagFields} } ... on Error { message } } }`,
      { input },
    )
  ).updateFlag;

const red = { key: 'red', value: { rgb: [255, 0, 0] }, weight: 1 };
const blue = { key: 'blue', value: ['#00f', null, 1e-7], weight: 0 };
const staff = {
  id: 'staff',
  when: { groups: ['staff'] },
  percentage: 100,
  on: true,
  serve: [{ variant: 'blue', weight: 1 }],
};
const theme = { key: 'theme', name: 'Theme', enabled: true, type: 'OBJECT', variants: [red, blue], offVariant: 'blue' };

describe('a flag with values', () => {
  it('is created, read and changed', async () => {
    const created = { ...theme, rules: [staff], bucketBy: 'org.id' };
    const { name: _, enabled: __, ...expected } = created;
    expect((await createFlag(created)).flag).toEqual({ ...expected, version: 1 });
    expect(await api.data(`{ flag(key: "theme") { key } flags { nodes { key type offVariant } } }`)).toEqual({
      flag: { key: 'theme' },
      flags: { nodes: [{ key: 'theme', type: 'OBJECT', offVariant: 'blue' }] },
    });
    const patch = {
      variants: [{ ...red, weight: 3 }, blue],
      offVariant: 'red',
      rules: [{ ...staff, percentage: 12.25 }],
    };
    const changed = { ...expected, ...patch };
    expect((await updateFlag({ key: 'theme', ...patch })).flag).toEqual({ ...changed, version: 2 });
    expect((await updateFlag({ key: 'theme', ...patch })).flag.version).toBe(2);
    expect((await updateFlag({ key: 'theme', bucketBy: null })).flag).toMatchObject({ bucketBy: null, version: 3 });
    // Null leaves a field as it is, but bucketBy.
    const nulls = { variants: null, offVariant: null, rules: null };
    expect((await updateFlag({ key: 'theme', ...nulls })).flag).toEqual({ ...changed, bucketBy: null, version: 3 });
  });

  it('has defaults: of a BOOLEAN flag, and of a rule, whose id is made once', async () => {
    const { flag } = await createFlag({
      key: 'plain',
      name: 'Plain',
      rules: [{ when: {} }, { on: false, when: {}, id: 'r' }],
    });
    const values = [
      { key: 'on', value: true, weight: 0 },
      { key: 'off', value: false, weight: 0 },
    ];
    expect(flag).toMatchObject({ type: 'BOOLEAN', variants: values, offVariant: 'off', bucketBy: null });
    const rule = { when: {}, percentage: 100, on: true, serve: [] };
    expect(flag.rules).toEqual([
      { ...rule, id: expect.stringMatching(/^[0-9a-f]{8}$/) },
      { ...rule, id: 'r', on: false },
    ]);
    expect((await updateFlag({ key: 'plain', percentage: 5 })).flag.rules).toEqual(flag.rules);
  });

  it('is listed without the entries that another program stored and that are not valid', async () => {
    const id = 'odd';
    await createFlag({ key: id, name: 'Odd', enabled: true });
    await api.database.prisma.$executeRawUnsafe(`UPDATE feature_flags SET type = 'NUMBER',
      variants = '[{"key": "a", "value": 1, "weight": 1000000000000}, {"key": "b", "value": 2, "weight": 1}]',
      rules = '[{"id": "r", "when": {}, "percentage": 1e400, "on": true, "serve": []}]' WHERE key = '${id}'`);
    const { flag } = await api.data(`{ flag(key: "${id}") { variants { key weight } rules { id percentage } } }`);
    expect(flag).toEqual({ variants: [{ key: 'b', weight: 1 }], rules: [] });
  });

  it('takes no rule by an empty object, which would match everybody', async () => {
    const input = 'input: { key: "empty", name: "Empty", rules: {} }';
    const { errors } = await api.run(`mutation { createFlag(${input}) { __typename } }`);
    expect(errors?.[0]?.message).toContain('"FlagRuleInput.when" of required type "Conditions!"');
  });

  it('may have a value that is written in the document, and a variant that an override names', async () => {
    await api.data(`mutation { createFlag(input: { key: "n", name: "N", type: NUMBER, enabled: true, offVariant: "few"
      variants: [{ key: "few", value: 0.5, weight: 1 }, { key: "many", value: 12, weight: 0 }] }) { __typename } }`);
    const set = `mutation($variant: String) { setOverride(input: { userId: "${ann}", flagKey: "n", enabled: true, variant: $variant }) {
      ... on SetOverridePayload { override { enabled variant } } } }`;
    const answer = async () =>
      (await api.data('{ viewer { feature(key: "n") { enabled value variant } values } }', {}, callers.user)).viewer;
    expect((await api.data(set, { variant: 'many' })).setOverride.override).toEqual({ enabled: true, variant: 'many' });
    expect(await answer()).toEqual({ feature: { enabled: true, value: 12, variant: 'many' }, values: { n: 12 } });
    const lists = `{ flag(key: "n") { overrides { nodes { variant } } } user(id: "${ann}") { overrides { nodes { variant } } } }`;
    const listed = { overrides: { nodes: [{ variant: 'many' }] } };
    expect(await api.data(lists)).toEqual({ flag: listed, user: listed });
    expect((await api.data(set, { variant: null })).setOverride.override).toEqual({ enabled: true, variant: null });
    expect(await answer()).toEqual({ feature: { enabled: true, value: 0.5, variant: 'few' }, values: { n: 0.5 } });
  });

  it('shows no rules to viewers: neither in the types that they are given, nor by admin fields', async () => {
    const fieldsOf = (name: string) =>
      Object.keys((api.schema.getType(name) as never as { getFields(): object }).getFields());
    for (const type of ['Feature', 'Viewer', 'ViewerFeaturesUpdate']) expect(fieldsOf(type)).not.toContain('rule');
    expect(fieldsOf('Evaluation')).toContain('rule');
    await createFlag({ ...theme, rules: [staff] });
    for (const caller of [callers.user, callers.anonymous, callers.service]) {
      for (const source of ['{ flag(key: "theme") { rules { id } } }', '{ evaluate(context: {}) { rule } }']) {
        if (caller === callers.service && source.startsWith('{ evaluate')) continue;
        expect(JSON.stringify(await api.run(source, {}, caller))).toMatch(/errors/);
      }
    }
  });
});

/** The updates of a subscription, one at a time. */
async function open(source: string, caller: Caller) {
  const stream = await api.watch(source, {}, caller);
  if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream.errors));
  const next = async () => Object.values((await stream.next()).value.data)[0] as Record<string, unknown>;
  return { next, end: () => stream.return(undefined) };
}

describe('a change of values is pushed', () => {
  const viewers = 'subscription { viewerFeatures { revision features { key value variant reason } values } }';
  const services = `subscription { evaluations(context: { userId: "${ann}" }) { revision features { key value variant reason rule } } }`;
  const pushed = (features: object[], rest: object = {}) => ({ revision: expect.any(Number), features, ...rest });

  it('to those who have the variant, and to nobody else', async () => {
    await createFlag({ ...theme, rules: [] });
    await api.service.management.setOverride({ userId: bob, flagKey: 'theme', enabled: true, variant: 'blue' });
    const [ofAnn, ofBob] = [await open(viewers, callers.user), await open(viewers, { ...callers.user, userId: bob })];
    expect(await ofAnn.next()).toMatchObject({ values: { theme: red.value } });
    expect(await ofBob.next()).toMatchObject({ values: { theme: blue.value } });
    const waiting = ofBob.next();
    await updateFlag({ key: 'theme', variants: [{ ...red, value: [1] }, blue] });
    const answer = { key: 'theme', variant: 'red', reason: 'ENABLED' };
    expect(await ofAnn.next()).toEqual(pushed([{ ...answer, value: [1] }], { values: { theme: [1] } }));
    // The first update of Bob is about his own variant.
    await updateFlag({
      key: 'theme',
      variants: [
        { ...red, value: [1] },
        { ...blue, value: [2] },
      ],
    });
    expect(await waiting).toEqual(
      pushed([{ key: 'theme', variant: 'blue', reason: 'OVERRIDE', value: [2] }], { values: { theme: [2] } }),
    );
    await Promise.all([ofAnn.end(), ofBob.end()]);
  });

  it('of the rule alone to services, and not to viewers', async () => {
    const rule = { ...staff, when: {}, serve: [] };
    await createFlag({ ...theme, rules: [{ ...rule, id: 'one' }] });
    const [viewer, service] = [await open(viewers, callers.user), await open(services, callers.service)];
    await viewer.next();
    const answer = { key: 'theme', value: red.value, variant: 'red', reason: 'RULE' };
    expect(await service.next()).toEqual(pushed([{ ...answer, rule: 'one' }]));
    const waiting = viewer.next();
    await updateFlag({ key: 'theme', rules: [{ ...rule, id: 'two' }] });
    expect(await service.next()).toEqual(pushed([{ ...answer, rule: 'two' }]));
    // The next update of the viewer is the one after it.
    await updateFlag({ key: 'theme', rules: [] });
    expect(await waiting).toMatchObject({ features: [{ ...answer, reason: 'ENABLED' }] });
    expect(await service.next()).toEqual(pushed([{ ...answer, reason: 'ENABLED', rule: null }]));
    await Promise.all([viewer.end(), service.end()]);
  });
});

describe('the second implementation of values', () => {
  const draw = new Draw(15);
  const flags = Array.from({ length: 25 }, (_, index) => randomFlag(draw, `flag-${index}`));
  const farOff = Date.parse('2999-01-01Z');
  /** Users with overrides of all flags, as they are stored. The API takes no integers that JavaScript rounds. */
  const subjects = Array.from({ length: 20 }, (_, index) => {
    const { attributes, ...fields } = randomSubject(draw, index % 4 === 0 ? null : `user|${index}`);
    const overrides = new Map(
      flags.flatMap(({ key }): [string, NonNullable<ReferenceSubject['override']>][] => {
        const { override } = randomSubject(draw);
        if (override === null || fields.userId === null) return [];
        return [[key, { ...override, expiresAt: override.expiresAt === null ? null : draw.of(1, farOff) }]];
      }),
    );
    return { ...fields, attributes: { ...attributes, seats: draw.of(5, 0, '5') }, overrides };
  });
  type Subject = (typeof subjects)[number];

  const expected = (subject: Subject, only: Partial<ReferenceSubject> = {}) =>
    flags
      .map((flag: ReferenceFlag) => {
        const override = subject.overrides.get(flag.key) ?? null;
        return referenceEvaluate(flag, { ...subject, override, ...only }, Date.now());
      })
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  const seen = ({ rule: _, ...answer }: ReturnType<typeof referenceEvaluate>) => answer;

  async function store(backend: Pick<MemoryBackend, 'createFlag' | 'setOverride' | 'addToGroup'>) {
    for (const flag of flags) await backend.createFlag(newFlag(flag.key, flag), null);
    for (const { userId, overrides, groups } of subjects) {
      if (userId === null) continue;
      for (const group of groups) await backend.addToGroup(group, [userId], null);
      for (const [flagKey, { enabled, variant, expiresAt }] of overrides) {
        const until = expiresAt === null ? null : new Date(expiresAt);
        await backend.setOverride({ userId, flagKey, enabled, variant, reason: null, expiresAt: until }, null);
      }
    }
  }

  it('agrees with evaluateMany, viewer and subscriptions', async () => {
    await store(api.database);
    await api.service.evaluator({});
    const contexts = subjects.map(({ userId, targetingKey, device, attributes }) => ({
      userId,
      targetingKey,
      device,
      attributes,
    }));
    const fields = 'key enabled reason type variant value';
    const { evaluateMany } = await api.data(
      `query($contexts: [EvaluationContextInput!]!) { evaluateMany(contexts: $contexts) { features { ${fields} rule } values } }`,
      { contexts },
      callers.service,
    );
    for (const [index, subject] of subjects.entries()) {
      const answers = expected(subject);
      expect(evaluateMany[index].features).toEqual(answers);
      expect(evaluateMany[index].values).toEqual(Object.fromEntries(answers.map(({ key, value }) => [key, value])));
      const { userId, attributes } = subject;
      const caller: Caller =
        userId === null ? { ...callers.anonymous, attributes } : { ...callers.user, userId, attributes };
      const asViewer = expected(subject, { targetingKey: null, device: null }).map(seen);
      expect((await api.data(`{ viewer { features { ${fields} } } }`, {}, caller)).viewer.features).toEqual(asViewer);
      const stream = await open(`subscription { viewerFeatures { features { ${fields} } } }`, caller);
      expect((await stream.next())['features']).toEqual(asViewer);
      await stream.end();
    }
  });

  it('agrees with the library on the memory backend', async () => {
    const backend = new MemoryBackend();
    await store(backend);
    const features = await createFeatures({ backend });
    for (const subject of subjects) {
      const { userId, attributes } = subject;
      const user = features.for(userId === null ? null : { ...attributes, id: userId });
      const known = { targetingKey: null, device: null, attributes: userId === null ? {} : attributes };
      for (const answer of expected(subject, known)) expect(await user.evaluate(answer.key)).toEqual(answer);
    }
    await features.close();
  });
});
