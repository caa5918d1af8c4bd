import { isInputObjectType, isNonNullType, isObjectType } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ann, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
});

afterAll(() => api.close());

beforeEach(async () => {
  const { management } = api.service;
  await management.createFlag({ key: 'a', name: 'A', enabled: true, percentage: 50, conditions: { groups: ['g'] } });
  await management.addToGroup({ group: 'g', userIds: [ann] });
  await management.setOverride({ userId: ann, flagKey: 'a', enabled: true });
});

afterEach(async () => {
  for (const key of ['a', 'new']) await api.service.management.deleteFlag({ key });
});

const flag =
  'flag { name description enabled percentage conditions type variants { key } offVariant rules { id } bucketBy tags owner expectedUntil }';
const fault = '... on ValidationError { issues { path message } }';

/** For each input with fields that may be null: an operation that takes it, and the fields that it must have. */
const inputs: Record<string, { readonly document: string; readonly required: object }> = {
  CreateFlagInput: {
    document: `mutation($input: CreateFlagInput!) { createFlag(input: $input) { ... on CreateFlagPayload { ${flag} } ${fault} } }`,
    required: { key: 'new', name: 'New' },
  },
  FlagRuleInput: {
    document: `mutation($input: FlagRuleInput!) { createFlag(input: { key: "new", name: "New", rules: [$input] }) {
      ... on CreateFlagPayload { flag { rules { when percentage on serve { variant } } } } ${fault} } }`,
    required: { when: {} },
  },
  UpdateFlagInput: {
    document: `mutation($input: UpdateFlagInput!) { updateFlag(input: $input) { ... on UpdateFlagPayload { ${flag} } ${fault} } }`,
    required: { key: 'a' },
  },
  SetOverrideInput: {
    document: `mutation($input: SetOverrideInput!) { setOverride(input: $input) {
      ... on SetOverridePayload { override { enabled variant reason expiresAt } } ${fault} } }`,
    required: { userId: ann, flagKey: 'a', enabled: false },
  },
  CreateApiKeyInput: {
    // Keys stay, so none is made: every fault is listed.
    document: `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename ${fault} } }`,
    required: { name: '', role: 'ADMIN' },
  },
  FlagFilter: {
    document: 'query($input: FlagFilter!) { flags(filter: $input) { totalCount nodes { key } } }',
    required: {},
  },
  ChangeFilter: {
    document: 'query($input: ChangeFilter!) { changes(first: 1, filter: $input) { nodes { kind flagKey } } }',
    required: {},
  },
  ...Object.fromEntries(
    Object.entries({
      deleteFlag: { key: 'nope' },
      removeOverride: { userId: ann, flagKey: 'nope' },
      addToGroup: { group: 'nulls', userIds: [] },
      removeFromGroup: { group: 'nulls', userIds: [] },
      setUserAttributes: { userId: ann, attributes: {} },
      deleteUser: { userId: 'nobody' },
      revertFlag: { key: 'nope', revision: 1 },
      undoBatch: { batch: ann },
      updateFlags: { flags: [{ key: 'nope' }] },
      applyDefinitions: { definitions: [] },
      revokeApiKey: { id: 'nope' },
    }).map(([mutation, required]) => {
      const input = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
      const document = `mutation($input: ${input}!) { ${mutation}(input: $input) { __typename ... on Error { message } } }`;
      return [input, { document, required }];
    }),
  ),
  EvaluationContextInput: {
    document: 'query($input: EvaluationContextInput!) { evaluate(context: $input) { key reason } }',
    required: {},
  },
};

const yesterday = new Date(Date.now() - 86_400_000).toISOString();

/** For each field with arguments that may be null: a selection of it. */
const fields: Record<string, (args: string) => string> = {
  'Query.isEnabled': args => `{ isEnabled(key: "nope" ${args}) }`,
  'Query.flags': args => `{ flags ${args && `(${args})`} { nodes { key } } }`,
  'FlagConnection.tags': args => `{ flags { tags ${args && `(${args})`} { tag } } }`,
  'FlagConnection.owners': args => `{ flags { owners ${args && `(${args})`} { owner } } }`,
  'Query.users': args => `{ users ${args && `(${args})`} { nodes { userId } } }`,
  'Query.attributeValues': args => `{ attributeValues(name: "plan" ${args}) { counted } }`,
  'Query.groups': args => `{ groups ${args && `(${args})`} { nodes { name } } }`,
  'Query.changes': args => `{ changes ${args && `(${args})`} { nodes { kind } } }`,
  'Query.apiKeys': args => `{ apiKeys ${args && `(${args})`} { nodes { name } } }`,
  'Query.evaluate': args => `{ evaluate(context: {} ${args}) { key } }`,
  'Query.evaluateMany': args => `{ evaluateMany(contexts: [{}] ${args}) { featureMap } }`,
  'Flag.overrides': args => `{ flag(key: "a") { overrides ${args && `(${args})`} { nodes { enabled } } } }`,
  'Flag.changes': args => `{ flag(key: "a") { changes ${args && `(${args})`} { nodes { kind } } } }`,
  'Flag.usage': args => `{ flag(key: "a") { usage(since: "${yesterday}" ${args}) { count } } }`,
  'User.overrides': args => `{ user(id: "${ann}") { overrides ${args && `(${args})`} { nodes { enabled } } } }`,
  'User.features': args => `{ user(id: "${ann}") { features ${args && `(${args})`} { key } } }`,
  'Group.members': args => `{ group(name: "g") { members ${args && `(${args})`} { nodes { userId } } } }`,
  'Viewer.isEnabled': args => `{ viewer { isEnabled(key: "nope" ${args}) } }`,
  'Viewer.feature': args => `{ viewer { feature(key: "nope" ${args}) { enabled } } }`,
  'Viewer.features': args => `{ viewer { features ${args && `(${args})`} { key } } }`,
  'Viewer.values': args => `{ viewer { values ${args && `(${args})`} } }`,
  'Viewer.featureMap': args => `{ viewer { featureMap ${args && `(${args})`} } }`,
  'Subscription.viewerFeatures': args => `subscription { viewerFeatures ${args && `(${args})`} { featureMap } }`,
  'Subscription.changes': args => `subscription { changes ${args && `(${args})`} { kind } }`,
  'Subscription.flagAudience': args => `subscription { flagAudience ${args && `(${args})`} { key viewers } }`,
  'Subscription.isEnabled': args => `subscription { isEnabled(key: "nope" ${args}) }`,
  'Subscription.evaluations': args => `subscription { evaluations(context: {} ${args}) { featureMap } }`,
};

describe('null is as if absent', () => {
  it('in every input and argument of the schema that may be null', () => {
    const types = Object.values(api.schema.getTypeMap());
    const withNulls = types.filter(isInputObjectType).filter(nullable);
    expect(withNulls.map(({ name }) => name).sort()).toEqual(Object.keys(inputs).sort());
    const withArgs = types.filter(isObjectType).flatMap(type =>
      Object.values(type.getFields()).flatMap(field => {
        const isNullable = field.args.some(({ type: argument }) => !isNonNullType(argument));
        return isNullable && !type.name.startsWith('__') ? [`${type.name}.${field.name}`] : [];
      }),
    );
    expect(withArgs.sort()).toEqual(Object.keys(fields).sort());
  });

  const nullable = (type: { getFields(): Record<string, { type: unknown }> }) =>
    Object.values(type.getFields()).some(field => !isNonNullType(field.type));

  it.each(Object.entries(inputs))('in each field of %s', async (name, { document, required }) => {
    const type = api.schema.getType(name);
    if (!isInputObjectType(type)) throw new Error(name);
    const optional = Object.values(type.getFields()).filter(field => !isNonNullType(field.type));
    const undo = () => api.service.management.deleteFlag({ key: 'new' });
    const absent = await api.data(document, { input: required });
    await undo();
    for (const field of optional) {
      const answer = await api.data(document, { input: { ...required, [field.name]: null } });
      expect([field.name, answer]).toEqual([field.name, absent]);
      await undo();
    }
    const nulls = Object.fromEntries(optional.map(field => [field.name, null]));
    expect(await api.data(document, { input: { ...required, ...nulls } })).toEqual(absent);
  });

  it.each(Object.entries(fields))('in each argument of %s', async (name, document) => {
    const [parent = '', child = ''] = name.split('.');
    const type = api.schema.getType(parent);
    if (!isObjectType(type)) throw new Error(name);
    const run = async (source: string) => {
      if (!source.startsWith('subscription')) return api.data(source);
      const stream = await api.watch(source);
      if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream));
      const next = stream.next();
      // `changes` tells of what is changed from now on.
      if (child === 'changes') await api.service.management.createFlag({ key: 'new', name: 'New' });
      const { value } = await next;
      await stream.return(undefined);
      if (child === 'changes') await api.service.management.deleteFlag({ key: 'new' });
      return value;
    };
    const absent = await run(document(''));
    for (const argument of type.getFields()[child]?.args ?? []) {
      if (isNonNullType(argument.type)) continue;
      expect([argument.name, await run(document(`${argument.name}: null`))]).toEqual([argument.name, absent]);
    }
  });
});

it.each([{ description: 'old' }, { owner: 'old' }, { expectedUntil: new Date(0) }])(
  'but null removes what is optional: %o',
  async given => {
    const { management } = api.service;
    const removed = Object.fromEntries(Object.keys(given).map(name => [name, null]));
    await management.updateFlag({ key: 'a', ...given });
    await management.updateFlag({ key: 'a', name: 'B' });
    expect(await api.database.getFlag('a')).toMatchObject(given);
    await management.updateFlag({ key: 'a', ...removed });
    expect(await api.database.getFlag('a')).toMatchObject(removed);
  },
);
