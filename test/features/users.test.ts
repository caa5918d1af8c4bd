import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import { createFeatures, type Features, type FeatureUser, MemoryBackend } from '../../src/index.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

const opened: Features<never>[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map(features => features.close()));
});

/** A store in which `pro` is for the plan "pro". */
function store(): MemoryBackend {
  const backend = new MemoryBackend();
  backend.seed({ flags: [{ key: 'pro', enabled: true, conditions: { attributes: { plan: 'pro' } } }] });
  return backend;
}

interface Account {
  readonly uuid: string;
  readonly subscription: { readonly plan: string };
}

interface Member {
  readonly id: string;
  readonly plan: string;
}

class Customer {
  constructor(
    readonly id: string,
    readonly plan: string,
  ) {}

  describe(): string {
    return `${this.id} on ${this.plan}`;
  }
}

describe("a program's own users", () => {
  it('are taken as they are when they have an id: as a literal, an interface or a class', async () => {
    const features = await createFeatures({ backend: store() });
    opened.push(features);
    const member: Member = { id: ann, plan: 'pro' };
    expect(await features.for({ id: ann, plan: 'pro' }).isEnabled('pro')).toBe(true);
    expect(await features.for(member).isEnabled('pro')).toBe(true);
    expect(await features.for(new Customer(ann, 'pro')).isEnabled('pro')).toBe(true);
    expect(await features.for(new Customer(ann, 'free')).isEnabled('pro')).toBe(false);
    expectTypeOf(features).toEqualTypeOf<Features<FeatureUser>>();
    expectTypeOf(features.for).parameter(0).toEqualTypeOf<FeatureUser | null>();
  });

  it('are mapped by one function, in every call that takes a user', async () => {
    const features = await createFeatures({
      backend: store(),
      user: (account: Account) => ({ id: account.uuid, plan: account.subscription.plan }),
    });
    opened.push(features);
    const account = { uuid: ann, subscription: { plan: 'pro' } };
    expect(await features.for(account).isEnabled('pro')).toBe(true);
    expect(await features.for({ uuid: ann, subscription: { plan: 'free' } }).isEnabled('pro')).toBe(false);
    expect(await features.for(null).isEnabled('pro')).toBe(false);
    const plans = await new Promise(resolve => features.watch(account, update => resolve(update.features)));
    expect(plans).toMatchObject([{ key: 'pro', enabled: true, reason: 'CONDITIONS_MET' }]);

    expectTypeOf(features).toEqualTypeOf<Features<Account>>();
    expectTypeOf(features.for).parameter(0).toEqualTypeOf<Account | null>();
    expectTypeOf(features.watch).parameter(0).toEqualTypeOf<Account | null>();
    // @ts-expect-error: what the function does not take is no user.
    expect(() => features.for({ id: ann })).toThrow();
  });

  it('must be mapped where they have no id', async () => {
    // @ts-expect-error: an account as it is says nobody's id.
    const features: Features<Account> = await createFeatures<Account>({ backend: store() });
    opened.push(features);
    expect(() => features.for({ uuid: ann, subscription: { plan: 'pro' } })).toThrow(TypeError);
  });
});
