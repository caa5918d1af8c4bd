import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFeatures, type Features, MemoryBackend, requireFeature, UnavailableError } from '../../src/index.js';
import { type ControlledBackend, controlled } from '../support/controlled-backend.js';

const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';

let backend: ControlledBackend;
let features: Features;

beforeEach(async () => {
  backend = controlled(new MemoryBackend());
  features = await createFeatures({ backend });
  await features.createFlag({ key: 'on', name: 'On', enabled: true });
  await features.createFlag({ key: 'off', name: 'Off' });
  await features.setOverride({ userId: ann, flagKey: 'off', enabled: true });
});

afterEach(() => features.close());

const request = (user?: string) => new Request('http://app.test/', { headers: user ? { 'x-user': user } : {} });
const user = (incoming: Request) => {
  const id = incoming.headers.get('x-user');
  return id === null ? null : { id };
};
const handler = () => new Response('in');

describe('requireFeature', () => {
  it('lets through when the feature is on, with whatever else the handler takes', async () => {
    const gated = requireFeature('on', { features })((_request: Request, name: string, times: number) =>
      Response.json({ name, times }),
    );
    const answer = await gated(request(), 'x', 2);
    expect([answer.status, await answer.json()]).toEqual([200, { name: 'x', times: 2 }]);
  });

  it.each([
    [{}, 404, null, { message: 'Not found.' }],
    [{ status: 403 as const }, 403, null, { message: 'Forbidden.' }],
    [{ status: 403 as const, message: 'Not for you yet.' }, 403, null, { message: 'Not for you yet.' }],
    [{ redirectUrl: '/waitlist' }, 302, '/waitlist', null],
  ])('answers in place of the handler when the feature is off: %j', async (options, status, location, body) => {
    const answer = await requireFeature('off', { features, ...options })(handler)(request());
    expect(answer.status).toBe(status);
    expect(answer.headers.get('location')).toBe(location);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const text = await answer.text();
    expect(text === '' ? null : JSON.parse(text)).toEqual(body);
  });

  it('asks for the user of the request', async () => {
    const gated = requireFeature('off', { features, user })(handler);
    expect((await gated(request(ann))).status).toBe(200);
    expect((await gated(request('00000000-0000-4000-8000-000000000001'))).status).toBe(404);
    expect((await gated(request())).status).toBe(404);
  });

  it('is closed for a flag that does not exist', async () => {
    expect((await requireFeature('nope', { features })(handler)(request())).status).toBe(404);
  });

  it('is closed when the answer cannot be determined', async () => {
    backend.fail('targeting', new UnavailableError());
    const gated = requireFeature('on', { features, user })(handler);
    expect((await gated(request('00000000-0000-4000-8000-000000000002'))).status).toBe(404);
  });

  it('hands on what the handler throws', async () => {
    const gated = requireFeature('on', { features })(() => {
      throw new Error('the handler failed');
    });
    await expect(gated(request())).rejects.toThrow('the handler failed');
  });
});
