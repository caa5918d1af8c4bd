import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFeatures, MemoryBackend, ValidationError } from '../../src/index.js';
import { badOperands } from '../support/bad-operands.js';
import { ann, callers, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
  await api.data('mutation { createFlag(input: { key: "kept", name: "Kept" }) { __typename } }');
});

afterAll(() => api.close());

const rows = badOperands.map(([attributes, path, message]) => ({
  title: JSON.stringify(attributes).slice(0, 60),
  conditions: { attributes },
  path: `conditions.attributes.${path}`,
  message,
}));
const errorOf = `__typename ... on ValidationError { code path message issues { path message } }`;

describe('an operand that is not valid gets a typed error with its path, and changes nothing:', () => {
  it.each(rows)('$title, over GraphQL', async ({ conditions, path, message }) => {
    const before = [await api.service.flags(), api.service.status.revision];
    const { createFlag } = await api.data(
      `mutation($input: CreateFlagInput!) { createFlag(input: $input) { ${errorOf} } }`,
      { input: { key: 'new', name: 'New', conditions } },
    );
    const { updateFlag } = await api.data(
      `mutation($input: UpdateFlagInput!) { updateFlag(input: $input) { ${errorOf} } }`,
      { input: { key: 'kept', enabled: true, conditions } },
    );
    for (const error of [createFlag, updateFlag]) {
      expect(error).toMatchObject({ __typename: 'ValidationError', code: 'BAD_USER_INPUT' });
      expect(error.path.join('.')).toBe(path);
      expect(error.message).toMatch(message);
      expect(error.issues).toHaveLength(1);
    }
    expect([await api.service.flags(), api.service.status.revision]).toEqual(before);
  });

  it.each(rows)('$title, in a program and in its seed', async ({ conditions, path, message }) => {
    const backend = new MemoryBackend();
    backend.seed({ flags: [{ key: 'kept', enabled: true }] });
    const seedOf = () => backend.seed({ flags: [{ key: 'other' }, { key: 'new', conditions: conditions as never }] });
    await using features = await createFeatures({ backend });
    const input = { key: 'new', name: 'New', conditions: conditions as never };
    const failures = [
      await features.createFlag(input).catch((error: unknown) => error),
      await features.updateFlag({ ...input, key: 'kept' }).catch((error: unknown) => error),
    ];
    for (const error of failures) {
      expect(error).toBeInstanceOf(ValidationError);
      const [issue] = (error as ValidationError).issues;
      expect(issue.path.join('.')).toBe(path);
      expect(issue.message).toMatch(message);
    }
    let failure: unknown;
    try {
      seedOf();
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(ValidationError);
    expect((failure as ValidationError).path.join('.')).toBe(`flags.1.${path}`);
    expect(await features.getAll()).toEqual({ kept: true });
  });
});

describe('names of attributes that begin with "$"', () => {
  it('are refused where they are stored, with the path', async () => {
    const { setUserAttributes } = await api.data(
      `mutation($attributes: JSONObject!) { setUserAttributes(input: { userId: "${ann}", attributes: $attributes }) { ${errorOf} } }`,
      { attributes: { plan: 'pro', $id: 'bob' } },
    );
    expect(setUserAttributes).toMatchObject({ code: 'BAD_USER_INPUT', path: ['attributes', '$id'] });
    expect(setUserAttributes.message).toMatch(/kept for built-in attributes, such as "\$id"/);
  });

  it('are refused in contexts, with the path', async () => {
    const source = 'query($attributes: JSONObject!) { evaluate(context: { attributes: $attributes }) { key } }';
    const { errors } = await api.run(source, { attributes: { $targetingKey: 'a' } }, callers.service);
    expect(errors?.[0]?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      path: ['context', 'attributes', '$targetingKey'],
    });
  });

  it('are no fault of the objects of a program, and never stand in for the built-in ones', async () => {
    const backend = new MemoryBackend();
    backend.seed({ flags: [{ key: 'bob', enabled: true, conditions: { attributes: { $id: 'bob' } } }] });
    await using features = await createFeatures({ backend });
    expect(await features.for({ id: 'ann', $id: 'bob', $isNew: true }).isEnabled('bob')).toBe(false);
    expect(await features.for({ id: 'bob' }).isEnabled('bob')).toBe(true);
  });

  it('go on where another program stored them', async () => {
    await api.database.prisma
      .$executeRaw`INSERT INTO users (id, attributes) VALUES (${ann}::uuid, '{"$plan": "pro"}'::jsonb)`;
    await api.database.prisma.$executeRaw`INSERT INTO feature_flags (key, name, enabled, conditions)
      VALUES ('stored', 'Stored', true, '{"attributes": {"$plan": "pro"}}'::jsonb)`;
    await api.service.evaluator({});
    expect(await api.data('{ viewer { isEnabled(key: "stored") } }', {}, callers.user)).toEqual({
      viewer: { isEnabled: true },
    });
    expect(api.service.status.invalidFlags).toBe(0);
    const renamed = await api.data(
      'mutation { updateFlag(input: { key: "stored", name: "Renamed" }) { ... on UpdateFlagPayload { flag { name } } } }',
    );
    expect(renamed.updateFlag).toEqual({ flag: { name: 'Renamed' } });
  });
});
