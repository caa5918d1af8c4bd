import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFeatures, type Features, MemoryBackend, UnavailableError } from '../../src/index.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';
import { fetchForms } from './forms/fetch.js';
import { type Form, failure, handled, type Outcome, pieces, type Scenario } from './forms/form.js';
import { graphqlForms } from './forms/graphql.js';
import { methodForms } from './forms/methods.js';
import { nodeForms } from './forms/node.js';

const forms: readonly Form[] = [...fetchForms, ...nodeForms, ...methodForms, ...graphqlForms];

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
const bob = '00000000-0000-4000-8000-000000000001';

/** Devices on both sides of `to_half`; Bob is outside. */
const inside = 'device-000001';
const outside = 'device-000003';

let backend: ControlledBackend;
let features: Features;

beforeEach(async () => {
  const memory = new MemoryBackend();
  memory.seed({
    flags: [
      { key: 'on', enabled: true },
      { key: 'off' },
      { key: 'for_ann' },
      { key: 'to_half', enabled: true, percentage: 50 },
    ],
    overrides: [{ userId: ann, flagKey: 'for_ann', enabled: true }],
  });
  backend = controlled(memory);
  features = await createFeatures({ backend });
});

afterEach(() => features.close());

type Case = Partial<Omit<Scenario, 'features'>> & {
  readonly name: string;
  /** What of the backend fails meanwhile. */
  readonly outage?: Error;
  readonly expected: Outcome;
};

const open: Outcome = { outcome: 'handled', text: handled };
const hidden = {
  outcome: 'closed',
  status: 404,
  location: null,
  message: 'Not found.',
  cacheControl: 'no-store',
} as const satisfies Outcome;
const refused: Outcome = { ...hidden, status: 403, message: 'Forbidden.' };

const cases: readonly Case[] = [
  { name: 'on', key: 'on', expected: open },
  { name: 'off', key: 'off', expected: hidden },
  { name: 'on for this user', key: 'for_ann', caller: ann, expected: open },
  { name: 'on only for another user', key: 'for_ann', caller: bob, expected: hidden },
  { name: 'on for one user, asked by an anonymous caller', key: 'for_ann', caller: null, expected: hidden },
  { name: 'on for this device', key: 'to_half', caller: null, device: inside, expected: open },
  { name: 'on only for other devices', key: 'to_half', caller: null, device: outside, expected: hidden },
  { name: 'on only for devices', key: 'to_half', caller: null, expected: hidden },
  { name: 'off for this user, on for the device', key: 'to_half', caller: bob, device: inside, expected: hidden },
  {
    name: 'a device that is not well-formed',
    key: 'on',
    caller: null,
    device: 'a,b,c,d,e',
    answer: { whenUnknown: 'open' },
    expected: {
      outcome: 'failed',
      error: 'device: Expected 8 to 64 characters of A-Z, a-z, 0-9, - and _, found ",".',
    },
  },
  { name: 'unknown flag', key: 'nope', expected: hidden },
  { name: 'unknown flag, told to open in an outage', key: 'nope', answer: { whenUnknown: 'open' }, expected: hidden },
  { name: 'features unknown', key: 'on', outage: new UnavailableError(), expected: hidden },
  {
    name: 'features unknown, told to be closed, 403',
    key: 'on',
    outage: new UnavailableError(),
    answer: { whenUnknown: 'closed', status: 403 },
    expected: refused,
  },
  {
    name: 'features unknown, told to be open',
    key: 'on',
    outage: new UnavailableError(),
    answer: { whenUnknown: 'open' },
    expected: open,
  },
  {
    name: 'a failure that is no outage',
    key: 'on',
    outage: new TypeError('a bug'),
    answer: { whenUnknown: 'open' },
    expected: { outcome: 'failed', error: 'a bug' },
  },
  {
    name: 'redirect',
    key: 'off',
    answer: { redirectUrl: '/waitlist?from=beta' },
    expected: { ...hidden, status: 302, location: '/waitlist?from=beta', message: null },
  },
  { name: '403', key: 'off', answer: { status: 403 }, expected: refused },
  {
    name: 'message',
    key: 'off',
    answer: { message: 'Bald für alle – 新.' },
    expected: { ...hidden, message: 'Bald für alle – 新.' },
  },
  {
    name: '403 with a message',
    key: 'off',
    answer: { status: 403, message: 'For "beta" testers.' },
    expected: { ...refused, message: 'For "beta" testers.' },
  },
  {
    name: 'thrown handler error',
    key: 'on',
    handler: 'throws',
    expected: { outcome: 'failed', error: failure },
  },
  {
    name: 'a program that cannot say who asks',
    key: 'on',
    caller: 'broken',
    answer: { whenUnknown: 'open' },
    expected: { outcome: 'failed', error: 'no session' },
  },
  {
    name: 'streaming body',
    key: 'on',
    handler: 'echoes',
    expected: { outcome: 'handled', text: pieces.join('') },
  },
];

describe.each(forms)('$name', form => {
  it.each(cases)('$name', async ({ name: _, outage, expected, ...scenario }) => {
    if (outage !== undefined) backend.fail('targeting', outage);
    const outcome = await form.run({
      features,
      key: 'on',
      caller: bob,
      device: null,
      answer: {},
      handler: 'answers',
      ...scenario,
    });
    expect(outcome).toEqual(expectedOf(form, expected));
  });
});

/** What a form cannot say is not expected of it. */
function expectedOf({ overHttp, redirects = true }: Form, expected: Outcome): Outcome {
  if (expected.outcome !== 'closed') return expected;
  const said = redirects || expected.location === null ? expected : hidden;
  return overHttp ? said : { ...said, cacheControl: null };
}
