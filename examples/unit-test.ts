// A unit test of code that asks for features, without a database. It uses vitest; other test runners work in the same way.
import { createFeatures, type Features, MemoryBackend } from 'halyard';
import { pinFeatures } from 'halyard/testing';
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest';

// The code under test gets its features as a parameter, like its database.
async function shippingCost(features: Features, user: { id: string; country: string }, total: number): Promise<number> {
  if (total >= 50 && (await features.for(user).isEnabled('free_shipping'))) return 0;
  return 4.9;
}

const ann = { id: '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a', country: 'DE' };
const bob = { id: '00000000-0000-4000-8000-000000000001', country: 'FR' };

const backend = new MemoryBackend();
const features = await createFeatures({ backend });

beforeEach(() => {
  backend.clear();
  backend.seed({ flags: [{ key: 'free_shipping', enabled: true, conditions: { attributes: { country: 'DE' } } }] });
});

afterAll(() => features.close());

test('shipping is free where the rules say so', async () => {
  expect(await shippingCost(features, ann, 60)).toBe(0);
  expect(await shippingCost(features, bob, 60)).toBe(4.9);
});

test('shipping is free for somebody with an override', async () => {
  backend.seed({ overrides: [{ userId: bob.id, flagKey: 'free_shipping', enabled: true }] });
  expect(await shippingCost(features, bob, 60)).toBe(0);
});

test('small orders pay even where shipping is free for everybody', async () => {
  onTestFinished(pinFeatures(features, { free_shipping: true }));
  expect(await shippingCost(features, bob, 60)).toBe(0);
  expect(await shippingCost(features, bob, 20)).toBe(4.9);
});

test('a pin ends with its test', async () => {
  expect(await shippingCost(features, bob, 60)).toBe(4.9);
});
