import { expect, it } from 'vitest';
import * as ours from '../../src/index.js';
import { controlled } from '../support/controlled-backend.js';

// Two copies of the package in one program: hoisted twice, loaded once by a bundler and once by Node, or by a test runner.

const dist = new URL('../../dist/index.js', import.meta.url).href;
const others = (await import(/* @vite-ignore */ dist)) as typeof ours;

it('are two', () => {
  expect(others.FeatureDisabledError).not.toBe(ours.FeatureDisabledError);
});

it.each([
  ['its own', ours, ours],
  ['another copy', ours, others],
  ['another copy, the other way round', others, ours],
])('a gate answers 404 for features of %s', async (_name, gates, owner) => {
  const features = await owner.createFeatures({ backend: new owner.MemoryBackend() });
  const gated = gates.requireFeature('off', { features })(() => new Response('in'));
  expect((await gated()).status).toBe(404);
  await features.close();
});

it('an unreachable database opens nothing, whoever says that it is unreachable', async () => {
  const backend = controlled(new others.MemoryBackend());
  const features = await ours.createFeatures({ backend, cacheTtl: 0 });
  backend.fail('changes', new others.UnavailableError());
  backend.fail('targeting', new others.UnavailableError());
  await expect(features.for({ id: '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a' }).require('off')).rejects.toBeInstanceOf(
    ours.FeatureDisabledError,
  );
  await features.close();
});

const flag = {} as ConstructorParameters<typeof ours.VersionConflictError>[0];
const makers: Readonly<Record<string, (copy: typeof ours) => Error>> = {
  ValidationError: copy => new copy.ValidationError([{ path: ['a'], message: 'No.' }]),
  FlagExistsError: copy => new copy.FlagExistsError('a'),
  FlagNotFoundError: copy => new copy.FlagNotFoundError('a'),
  VersionConflictError: copy => new copy.VersionConflictError(flag, 1),
  ConflictsError: copy =>
    new copy.ConflictsError([{ flagKey: 'a', group: null, userId: null, revision: null, message: 'No.' }], []),
  UnavailableError: copy => new copy.UnavailableError(),
  FeatureDisabledError: copy => new copy.FeatureDisabledError('a'),
};

it.each(Object.entries(makers))('%s of one copy is one in the other, and nothing else', (name, make) => {
  for (const [from, to] of [
    [ours, others],
    [others, ours],
    [ours, ours],
  ] as const) {
    const error = make(from);
    const classes = Object.keys(makers).filter(key => error instanceof (to[key as 'UnavailableError'] as never));
    expect(classes).toEqual([name]);
    expect(error).toBeInstanceOf(to.FeatureError);
    expect(error).toBeInstanceOf(Error);
  }
});

it('errors of other kinds are none of ours', () => {
  class OwnError extends ours.UnavailableError {}
  expect(new OwnError()).toBeInstanceOf(ours.UnavailableError);
  expect(new OwnError()).toBeInstanceOf(others.UnavailableError);
  expect(new ours.UnavailableError()).not.toBeInstanceOf(OwnError);
  for (const value of [
    new Error('UnavailableError'),
    { name: 'UnavailableError' },
    null,
    undefined,
    'UnavailableError',
  ]) {
    expect((value as unknown) instanceof ours.FeatureError).toBe(false);
  }
});
