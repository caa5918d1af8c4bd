import SchemaBuilder, { type SchemaTypes } from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { graphql, parse, subscribe } from 'graphql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HalyardPlugin } from '../../src/gate/pothos.js';
import { createFeatures, type Features, MemoryBackend, UnavailableError } from '../../src/index.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';
import { otherPlugins } from './gated-schemas.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

let backend: ControlledBackend;
let features: Features;

beforeEach(async () => {
  backend = controlled(new MemoryBackend());
  features = await createFeatures({ backend });
  await features.createFlag({ key: 'off', name: 'Off' });
  await features.setOverride({ userId: ann, flagKey: 'off', enabled: true });
});

afterEach(() => features.close());

interface Context {
  readonly id: string | null;
  readonly isStaff: boolean;
}
const user = ({ id }: Context) => (id === null ? null : { id });
const member: Context = { id: ann, isStaff: true };
const stranger: Context = { id: null, isStaff: false };

/** Builds, and runs operations; what comes back is data, or the code or message of the first error. */
function runner<Types extends SchemaTypes>(builder: PothosSchemaTypes.SchemaBuilder<Types>) {
  const schema = builder.toSchema();
  return async (source: string, contextValue: Context) => {
    const { data, errors } = await graphql({ schema, source, contextValue });
    return errors === undefined ? data : String(errors[0]?.extensions['code'] ?? errors[0]?.message);
  };
}

describe('the Pothos plugin', () => {
  it('needs features, and says for which field', () => {
    const builder = new SchemaBuilder<{ Context: Context }>({ ...otherPlugins, plugins: [HalyardPlugin] });
    builder.queryType({ fields: t => ({ search: t.string({ requireFeature: 'off', resolve: () => '' }) }) });
    expect(() => builder.toSchema()).toThrow(
      'The field Query.search requires a feature: the schema builder needs `halyard: { features }`.',
    );
  });

  it('leaves fields alone that require no feature', async () => {
    const builder = new SchemaBuilder<{ Context: Context }>({ ...otherPlugins, plugins: [HalyardPlugin] });
    builder.queryType({ fields: t => ({ free: t.string({ resolve: () => 'free' }) }) });
    expect(await runner(builder)('{ free }', stranger)).toEqual({ free: 'free' });
  });

  it('uses the options of the builder for each field, unless the field has its own', async () => {
    backend.fail('targeting', new UnavailableError());
    const builder = new SchemaBuilder<{ Context: Context }>({
      ...otherPlugins,
      plugins: [HalyardPlugin],
      halyard: { features, user, whenUnknown: 'open' },
    });
    builder.queryType({
      fields: t => ({
        open: t.string({ requireFeature: 'off', resolve: () => 'in' }),
        closed: t.string({ requireFeature: { key: 'off', whenUnknown: 'closed' }, resolve: () => 'in' }),
      }),
    });
    const run = runner(builder);
    const unknown = { id: '00000000-0000-4000-8000-000000000009', isStaff: false };
    expect(await run('{ open }', unknown)).toEqual({ open: 'in' });
    expect(await run('{ closed }', unknown)).toBe('FEATURE_DISABLED');
  });

  it('takes user objects of your own', async () => {
    interface Account {
      readonly number: string;
    }
    const own = await createFeatures<Account>({
      backend: new MemoryBackend(),
      user: ({ number }) => ({ id: number }),
    });
    await own.createFlag({ key: 'mine', name: 'Mine' });
    await own.setOverride({ userId: ann, flagKey: 'mine', enabled: true });
    const builder = new SchemaBuilder<{ Context: Context; FeatureUser: Account }>({
      ...otherPlugins,
      plugins: [HalyardPlugin],
      halyard: { features: own, user: ({ id }) => (id === null ? null : { number: id }) },
    });
    builder.queryType({ fields: t => ({ mine: t.string({ requireFeature: 'mine', resolve: () => 'in' }) }) });
    const run = runner(builder);
    expect(await run('{ mine }', member)).toEqual({ mine: 'in' });
    expect(await run('{ mine }', stranger)).toBe('FEATURE_DISABLED');
    await own.close();
  });

  it('gates a field of an interface in every type that implements it, and connections', async () => {
    const builder = new SchemaBuilder<{ Context: Context }>({
      ...otherPlugins,
      plugins: [HalyardPlugin, RelayPlugin],
      halyard: { features, user },
      relay: {},
    });
    const Animal = builder.interfaceRef<string>('Animal').implement({
      fields: t => ({ sound: t.string({ requireFeature: 'off', resolve: name => `${name}!` }) }),
    });
    const Dog = builder.objectRef<string>('Dog').implement({ interfaces: [Animal], fields: () => ({}) });
    builder.queryType({
      fields: t => ({
        dog: t.field({ type: Dog, resolve: () => 'dog' }),
        dogs: t.connection({
          type: Dog,
          requireFeature: 'off',
          resolve: () => ({
            edges: [{ cursor: '1', node: 'rex' }],
            pageInfo: { hasNextPage: false, hasPreviousPage: false },
          }),
        }),
      }),
    });
    const run = runner(builder);
    expect(await run('{ dog { sound } }', member)).toEqual({ dog: { sound: 'dog!' } });
    expect(await run('{ dog { sound } }', stranger)).toBe('FEATURE_DISABLED');
    expect(await run('{ dogs { edges { cursor } } }', member)).toEqual({ dogs: { edges: [{ cursor: '1' }] } });
    expect(await run('{ dogs { edges { cursor } } }', stranger)).toBe('FEATURE_DISABLED');
  });

  it.each([
    ['after scope-auth', [ScopeAuthPlugin, HalyardPlugin], 'Not authorized to resolve Query.staff'],
    ['before scope-auth', [HalyardPlugin, ScopeAuthPlugin], 'FEATURE_DISABLED'],
  ] as const)('asks %s when it is listed so', async (_order, plugins, firstAnswer) => {
    const builder = new SchemaBuilder<{ Context: Context; AuthScopes: { staff: boolean } }>({
      ...otherPlugins,
      plugins: [...plugins],
      halyard: { features, user },
      scopeAuth: { authorizeOnSubscribe: true, authScopes: ({ isStaff }) => ({ staff: isStaff }) },
    });
    builder.queryType({
      fields: t => ({
        staff: t.string({ authScopes: { staff: true }, requireFeature: 'off', resolve: () => 'in' }),
      }),
    });
    builder.subscriptionType({
      fields: t => ({
        staff: t.string({
          authScopes: { staff: true },
          requireFeature: 'off',
          subscribe: async function* () {
            yield 'in';
            await new Promise(() => {});
          },
          resolve: event => event,
        }),
      }),
    });
    const run = runner(builder);
    expect(await run('{ staff }', member)).toEqual({ staff: 'in' });
    expect(await run('{ staff }', { ...stranger, isStaff: true })).toBe('FEATURE_DISABLED');
    expect(await run('{ staff }', { ...member, isStaff: false })).toMatch('Not authorized');
    expect(await run('{ staff }', stranger)).toBe(firstAnswer);

    const watch = (contextValue: Context) =>
      subscribe({ schema: builder.toSchema(), document: parse('subscription { staff }'), contextValue });
    expect(await watch({ ...stranger, isStaff: true })).toMatchObject({
      errors: [{ extensions: { code: 'FEATURE_DISABLED' } }],
    });
    expect(await watch({ ...member, isStaff: false })).toMatchObject({
      errors: [{ message: expect.stringContaining('Not authorized') }],
    });
    const results = (await watch(member)) as AsyncGenerator;
    expect((await results.next()).value).toEqual({ data: { staff: 'in' } });
    const last = results.next();
    await features.removeOverride({ userId: ann, flagKey: 'off' });
    expect((await last).value).toMatchObject({ errors: [{ extensions: { code: 'FEATURE_DISABLED' } }] });
    expect((await results.next()).done).toBe(true);
  });

  it('lets the errors plugin make data of the error', async () => {
    const builder = new SchemaBuilder<{ Context: Context }>({
      ...otherPlugins,
      plugins: [ErrorsPlugin, HalyardPlugin],
      halyard: { features, user },
      errors: { directResult: true },
    });
    builder.objectType(Error, { name: 'Failure', fields: t => ({ message: t.exposeString('message') }) });
    const Report = builder.objectRef<string>('Report').implement({
      fields: t => ({ text: t.string({ resolve: text => text }) }),
    });
    builder.queryType({
      fields: t => ({
        report: t.field({ type: Report, requireFeature: 'off', errors: { types: [Error] }, resolve: () => 'in' }),
      }),
    });
    const run = runner(builder);
    const source = '{ report { ... on Report { text } ... on Failure { message } } }';
    expect(await run(source, member)).toEqual({ report: { text: 'in' } });
    expect(await run(source, stranger)).toEqual({ report: { message: 'Not found.' } });
  });
});
