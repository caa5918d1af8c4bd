// Plays the five levels of the README against a fresh in-memory server, and states every answer.
import { randomBytes } from 'node:crypto';
import { mintToken } from '../src/auth/token.js';
import { readConfig } from '../src/config.js';
import { createFeatures, MemoryBackend, type RequireFeatureOptions, requireFeature } from '../src/index.js';
import { startServer } from '../src/server/index.js';
import {
  addToGroup,
  createFlag,
  evaluateMany,
  evaluateValues,
  isEnabled,
  recentChanges,
  setOverride,
  updateFlag,
  viewerFeatures,
  watchFeatures,
} from './documents.js';
import { type Actor, Stage } from './stage.js';

const annId = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bobId = 'auth0|5f7c3';

const secret = randomBytes(32).toString('hex');
const server = await startServer(
  readConfig({ FEATURE_BACKEND: 'memory', PORT: '0', AUTH_JWT_SECRET: secret, LOG_LEVEL: 'warn' }),
);
const stage = new Stage(server.url);

const mint = (role: 'USER' | 'SERVICE' | 'ADMIN', userId: string | null, attributes = {}) =>
  mintToken(new TextEncoder().encode(secret), { role, userId, attributes, expiresInSeconds: 600 });
const nobody: Actor = { name: 'Somebody anonymous', token: null };
const admin: Actor = { name: 'An admin', token: await mint('ADMIN', null) };
const backend: Actor = { name: 'A backend', token: await mint('SERVICE', null) };
const ann: Actor = { name: 'Ann (plan pro)', token: await mint('USER', annId, { plan: 'pro' }) };
const bob: Actor = { name: 'Bob', token: await mint('USER', bobId) };

async function play(): Promise<void> {
  stage.title('The flags');
  const flags = [
    { key: 'new_dashboard', name: 'New dashboard', enabled: true },
    { key: 'new_checkout', name: 'New checkout', enabled: true, percentage: 10 },
    { key: 'pro_reports', name: 'Reports', enabled: true, conditions: { attributes: { plan: ['pro', 'enterprise'] } } },
    { key: 'beta_feature', name: 'Beta feature', enabled: true, conditions: { groups: ['beta_testers'] } },
  ];
  for (const input of flags) {
    const { key, enabled, percentage = 100 } = input;
    await stage.ask(admin, createFlag, { input }, { createFlag: { flag: { key, enabled, percentage } } });
  }

  stage.title('Level 1: is it on?');
  await stage.ask(nobody, isEnabled, { key: 'new_dashboard' }, { isEnabled: true });
  await stage.ask(nobody, isEnabled, { key: 'no_such_flag' }, { isEnabled: false });

  stage.title('Level 2: is it on for this user?');
  const beta = { key: 'beta_feature', enabled: false, reason: 'CONDITIONS_NOT_MET' } as const;
  const dashboard = { key: 'new_dashboard', enabled: true, reason: 'ENABLED' } as const;
  await stage.ask(
    ann,
    viewerFeatures,
    {},
    {
      viewer: {
        role: 'USER',
        features: [
          beta,
          { key: 'new_checkout', enabled: true, reason: 'ROLLOUT' },
          dashboard,
          { key: 'pro_reports', enabled: true, reason: 'CONDITIONS_MET' },
        ],
      },
    },
  );
  await stage.ask(
    bob,
    viewerFeatures,
    {},
    {
      viewer: {
        role: 'USER',
        features: [
          beta,
          { key: 'new_checkout', enabled: false, reason: 'OUTSIDE_ROLLOUT' },
          dashboard,
          { key: 'pro_reports', enabled: false, reason: 'CONDITIONS_NOT_MET' },
        ],
      },
    },
  );

  stage.title('Level 3: a gated endpoint');
  await gate();

  stage.title('Level 4: targeting rules');
  stage.say('A rule that is wrong is refused, with the place of the fault:');
  await stage.ask(
    admin,
    updateFlag,
    { input: { key: 'pro_reports', conditions: { attributes: { seats: { gte: 'many' } } } } },
    {
      updateFlag: {
        code: 'BAD_USER_INPUT',
        message:
          'conditions.attributes.seats.gte: Expected a number, or a date that exists such as "2024-01-31" or "2024-01-31T09:30:00Z".',
        path: ['conditions', 'attributes', 'seats', 'gte'],
      },
    },
  );
  await stage.ask(
    backend,
    evaluateMany,
    { contexts: [{ attributes: { plan: 'enterprise' } }, { attributes: { plan: 'free' } }], keys: ['pro_reports'] },
    { evaluateMany: [{ featureMap: { pro_reports: true } }, { featureMap: { pro_reports: false } }] },
  );

  stage.title('Level 5: management, live');
  const live = stage.watch(bob, watchFeatures);
  const all = { beta_feature: false, new_checkout: false, new_dashboard: true, pro_reports: false };
  await live.next({ viewerFeatures: { revision: 4, snapshot: true, featureMap: all, removed: [] } });

  await stage.ask(
    admin,
    setOverride,
    { input: { userId: bobId, flagKey: 'pro_reports', enabled: true, reason: 'Trial' } },
    { setOverride: { override: { flag: { key: 'pro_reports' }, enabled: true, reason: 'Trial' } } },
  );
  await live.next({
    viewerFeatures: { revision: 5, snapshot: false, featureMap: { pro_reports: true }, removed: [] },
  });

  await stage.ask(
    admin,
    addToGroup,
    { input: { group: 'beta_testers', userIds: [bobId] } },
    { addToGroup: { added: 1, group: { name: 'beta_testers', memberCount: 1 } } },
  );
  await live.next({
    viewerFeatures: { revision: 6, snapshot: false, featureMap: { beta_feature: true }, removed: [] },
  });

  stage.say('From 10 to 50 % brings in Ann and others, but not Bob: nothing is pushed to him. 100 % is everybody.');
  for (const [percentage, version] of [
    [50, 2],
    [100, 3],
  ] as const) {
    await stage.ask(
      admin,
      updateFlag,
      { input: { key: 'new_checkout', percentage } },
      { updateFlag: { flag: { key: 'new_checkout', percentage, version } } },
    );
  }
  await live.next({
    viewerFeatures: { revision: 8, snapshot: false, featureMap: { new_checkout: true }, removed: [] },
  });
  await live.stop();

  const change = { flagKey: 'new_checkout', group: null, userCount: 0 };
  await stage.ask(
    admin,
    recentChanges,
    { first: 3 },
    {
      changes: {
        nodes: [
          { revision: 8, kind: 'FLAG_UPDATED', ...change },
          { revision: 7, kind: 'FLAG_UPDATED', ...change },
          { revision: 6, kind: 'MEMBERS_ADDED', flagKey: null, group: 'beta_testers', userCount: 1 },
        ],
      },
    },
  );

  stage.title('Values');
  stage.say('A flag may carry values: staff always has blue, all others keep grey until the percentage rises.');
  await stage.ask(
    admin,
    createFlag,
    {
      input: {
        key: 'checkout_button',
        name: 'Checkout button',
        enabled: true,
        percentage: 0,
        type: 'STRING',
        variants: [
          { key: 'blue', value: '#00f', weight: 1 },
          { key: 'grey', value: '#888', weight: 0 },
        ],
        offVariant: 'grey',
        rules: [{ id: 'staff', when: { attributes: { role: 'staff' } } }],
      },
    },
    { createFlag: { flag: { key: 'checkout_button', enabled: true, percentage: 0 } } },
  );
  await stage.ask(
    backend,
    evaluateValues,
    {
      contexts: [
        { userId: 'auth0|ann', attributes: { role: 'staff' } },
        { userId: 'auth0|bob', attributes: {} },
      ],
      keys: ['checkout_button'],
    },
    {
      evaluateMany: [
        { features: [{ variant: 'blue', value: '#00f', reason: 'RULE', rule: 'staff' }] },
        { features: [{ variant: 'grey', value: '#888', reason: 'OUTSIDE_ROLLOUT', rule: null }] },
      ],
    },
  );
}

/** The gate is a library: here it stands in this program, over a backend of its own. */
async function gate(): Promise<void> {
  const store = new MemoryBackend();
  store.seed({
    flags: [{ key: 'new_checkout', enabled: true, conditions: { groups: ['beta_testers'] } }],
    groups: { beta_testers: [annId] },
  });
  const features = await createFeatures({ backend: store });
  const user = (request: Request) => {
    const id = request.headers.get('x-user-id');
    return id === null ? null : { id };
  };
  const handler = () => new Response('the new checkout');
  const answers: [string, RequireFeatureOptions, string, unknown][] = [
    ['Ann asks for the gated endpoint', { features, user }, annId, [200, 'the new checkout']],
    ['Bob asks for it', { features, user }, bobId, [404, '{"message":"Not found."}']],
    ['Bob, where it is refused openly', { features, user, status: 403 }, bobId, [403, '{"message":"Forbidden."}']],
    ['Bob, where he is sent elsewhere', { features, user, redirectUrl: '/checkout' }, bobId, [302, '/checkout']],
  ];
  for (const [what, options, userId, expected] of answers) {
    stage.say(what);
    const request = new Request('https://shop.example/checkout', { headers: { 'x-user-id': userId } });
    const response = await requireFeature('new_checkout', options)(handler)(request);
    stage.check(what, [response.status, response.headers.get('location') ?? (await response.text())], expected);
  }
  await features.close();
}

try {
  await play();
} finally {
  await server.close();
}
if (stage.mismatches.length > 0) {
  console.error(`\n${stage.mismatches.length} answers differ from what was expected:\n${stage.mismatches.join('\n')}`);
  process.exitCode = 1;
} else {
  console.log('\nEvery answer is as expected.');
}
