import { EventEmitter } from 'node:events';

/** The input of every contestant. */
export type User = {
  readonly id: string;
  readonly plan: string;
  readonly country: string;
};

/** One way to answer "is the flag on for this user?", from the plain object each time. */
export interface Contestant {
  readonly name: string;
  /** "plan is pro AND country in (DE, BR), 50 % rollout". */
  readonly isOn: (user: User) => boolean;
  /**
   * The number of users that the flag is on for. This call is timed. Each contestant has a loop of its own, because one loop shared by all
   * would call them through one call site, which the engine then cannot inline, and that would be charged to each.
   */
  readonly countOn: (users: readonly User[]) => number;
  /** The same without the rollout, to check that all contestants read the rule alike. */
  readonly matches: (user: User) => boolean;
}

export const peerPackages = ['@openfeature/flagd-core', '@growthbook/growthbook', 'unleash-client'];

/** Loaded by name: bench/node_modules is there only after `npm ci --prefix bench`. */
function load<T>(name: string): Promise<T> {
  return import(name) as Promise<T>;
}

/** flagd's in-process evaluator, which compiles the JSON logic of each flag once. */
export async function flagd(): Promise<Contestant> {
  type Module = {
    FlagdCore: new () => {
      setConfigurations(configuration: string): unknown;
      resolveBooleanEvaluation(key: string, fallback: boolean, context: User): { value: boolean };
    };
  };
  const { FlagdCore } = await load<Module>('@openfeature/flagd-core');
  const rule = { and: [{ '===': [{ var: 'plan' }, 'pro'] }, { in: [{ var: 'country' }, ['DE', 'BR']] }] };
  // Bucketing by flag and user, as flagd documents and as the other three do by default. Stating it spares flagd a context
  // of its own with a `targetingKey`.
  const rollout = { fractional: [{ cat: [{ var: '$flagd.flagKey' }, { var: 'id' }] }, ['on', 50], ['off', 50]] };
  const flag = (on: unknown) => ({
    state: 'ENABLED',
    variants: { on: true, off: false },
    defaultVariant: 'off',
    targeting: { if: [rule, on, 'off'] },
  });
  const core = new FlagdCore();
  core.setConfigurations(JSON.stringify({ flags: { new_checkout: flag(rollout), unrolled: flag('on') } }));
  return {
    name: '@openfeature/flagd-core',
    isOn: user => core.resolveBooleanEvaluation('new_checkout', false, user).value,
    countOn: users => {
      let on = 0;
      for (const user of users) if (core.resolveBooleanEvaluation('new_checkout', false, user).value) on += 1;
      return on;
    },
    matches: user => core.resolveBooleanEvaluation('unrolled', false, user).value,
  };
}

/** GrowthBook's client for servers: one for all users, the user stated with each call. */
export async function growthbook(): Promise<Contestant> {
  type Module = {
    GrowthBookClient: new () => {
      initSync(options: object): { isOn(key: string, context: { attributes: User }): boolean };
    };
  };
  const { GrowthBookClient } = await load<Module>('@growthbook/growthbook');
  const rule = { condition: { plan: 'pro', country: { $in: ['DE', 'BR'] } }, force: true };
  const features = {
    new_checkout: { defaultValue: false, rules: [{ ...rule, coverage: 0.5, hashAttribute: 'id' }] },
    unrolled: { defaultValue: false, rules: [rule] },
  };
  const client = new GrowthBookClient().initSync({ payload: { features } });
  return {
    name: '@growthbook/growthbook',
    isOn: user => client.isOn('new_checkout', { attributes: user }),
    countOn: users => {
      let on = 0;
      for (const user of users) if (client.isOn('new_checkout', { attributes: user })) on += 1;
      return on;
    },
    matches: user => client.isOn('unrolled', { attributes: user }),
  };
}

/** Unleash's SDK without metrics, on a repository in memory, so that it never calls a server. */
export async function unleash(): Promise<Contestant> {
  type Context = { userId: string; properties: User };
  type Module = {
    Unleash: new (
      options: object,
    ) => EventEmitter & { start(): Promise<void>; isEnabled(key: string, context: Context): boolean };
  };
  const { Unleash } = await load<Module>('unleash-client');
  const constraints = [
    { contextName: 'plan', operator: 'IN', values: ['pro'], inverted: false, caseInsensitive: false },
    { contextName: 'country', operator: 'IN', values: ['DE', 'BR'], inverted: false, caseInsensitive: false },
  ];
  const feature = (name: string, rollout: string) => ({
    name,
    type: 'release',
    enabled: true,
    impressionData: false,
    variants: [],
    strategies: [
      { name: 'flexibleRollout', parameters: { groupId: name, rollout, stickiness: 'userId' }, constraints },
    ],
  });
  const features = new Map([feature('new_checkout', '50'), feature('unrolled', '100')].map(one => [one.name, one]));
  class Repository extends EventEmitter {
    getToggle(name: string): unknown {
      return features.get(name);
    }
    getToggles(): unknown[] {
      return [...features.values()];
    }
    getTogglesWithSegmentData(): unknown[] {
      return this.getToggles();
    }
    getSegment(): undefined {
      return undefined;
    }
    async start(): Promise<void> {
      this.emit('ready');
    }
    stop(): void {}
  }
  const client = new Unleash({
    appName: 'bench',
    url: 'http://localhost',
    disableMetrics: true,
    disableAutoStart: true,
    repository: new Repository(),
  });
  await client.start();
  return {
    name: 'unleash-client',
    isOn: user => client.isEnabled('new_checkout', { userId: user.id, properties: user }),
    countOn: users => {
      let on = 0;
      for (const user of users) if (client.isEnabled('new_checkout', { userId: user.id, properties: user })) on += 1;
      return on;
    },
    matches: user => client.isEnabled('unrolled', { userId: user.id, properties: user }),
  };
}
