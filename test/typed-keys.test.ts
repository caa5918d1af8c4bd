import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeclaredFlag, featureTypes } from '../src/core/feature-types.js';

// A project of its own that has the built package, compiled by the real compiler.
const source = `import SchemaBuilder from '@pothos/core';
import { createFeatures, type FeatureKey, type Json, type JsonObject, MemoryBackend, requireFeature } from 'halyard';
import { gatedField } from 'halyard/graphql';
import { HalyardPlugin } from 'halyard/pothos';
import { createTestFeatures, pinFeatures, withFeatures } from 'halyard/testing';

const features = await createFeatures({ backend: new MemoryBackend() });
const user = { id: 'ann', plan: 'pro' };
export const answers = [
  features.isEnabled('new_checkout'),
  features.isEnabled('new_chekcout'), // misspelt
  features.isEnabled('checkout.v2', true), // deleted
  features.isEnabled('2fa'), // deleted
  features.evaluate('new_checkout'),
  features.evaluate('new_chekcout'), // misspelt
  features.for(user).isEnabled('new_checkout'),
  features.for(user).isEnabled('new_chekcout'), // misspelt
  features.for(user).evaluate('checkout.v2'), // deleted
  requireFeature('new_checkout', { features }),
  requireFeature('new_chekcout', { features }), // misspelt
  requireFeature('checkout.v2', { features }), // deleted
  features.require('new_checkout'),
  features.require('new_chekcout'), // misspelt
  features.for(user).require('new_checkout'),
  features.for(user).require('checkout.v2'), // deleted
  features.watch(user, () => {}, { keys: ['new_checkout'] }),
  features.watch(user, () => {}, { keys: ['new_chekcout'] }), // misspelt
  features.for(user).updates({ keys: ['checkout.v2'] }), // deleted
  gatedField('new_checkout', { features }),
  gatedField('new_chekcout', { features }), // misspelt
  pinFeatures(features, { new_checkout: true }),
  pinFeatures(features, { new_chekcout: true }), // pins a misspelt one
  pinFeatures(features, { 'checkout.v2': true }), // pins a deleted one
  withFeatures(features, { new_checkout: true }, () => 1),
  withFeatures(features, { new_chekcout: true }, () => 1), // pins a misspelt one
  createTestFeatures({ new_checkout: true }),
  createTestFeatures({ theme: 'red', page_size: 7, limits: { perMinute: 1 }, steps: [], new_checkout: true }),
  pinFeatures(features, { theme: false }),
  pinFeatures(features, { theme: 'green' }), // of another type
  withFeatures(features, { page_size: 'red' }, () => 1), // of another type
  features.value('new_checkout', true),
  features.value('new_chekcout', true), // misspelt
  features.value('checkout.v2', true), // deleted
  features.value('new_checkout', 'yes'), // of another type
  features.value('theme', 'blue'),
  features.for(user).value('theme', 'green'), // of another type
  features.value('page_size', '5'), // of another type
  features.value('limits', { perMinute: 1 }),
  features.value('limits', [1]), // of another type
  features.value('steps', [1]),
  createTestFeatures({ new_chekcout: true }), // pins a misspelt one
];
export const theme: 'blue' | 'red' = await features.for(user).value('theme', 'blue');
export const exact: 'blue' = await features.for(user).value('theme', 'blue'); // of another type
export const size: number = await features.value('page_size', 5);
export const limits: JsonObject = await features.value('limits', {});
export const steps: readonly Json[] = await features.value('steps', []);
const builder = new SchemaBuilder<{}>({ plugins: [HalyardPlugin], halyard: { features } });
builder.queryType({
  fields: t => ({
    right: t.string({ requireFeature: 'new_checkout', resolve: () => 'found' }),
    wrong: t.string({ requireFeature: 'new_chekcout', resolve: () => 'found' }), // misspelt
    soft: t.string({ nullable: true, requireFeature: { key: 'new_checkout', soft: true }, resolve: () => 'found' }),
    gone: t.string({ nullable: true, requireFeature: { key: 'checkout.v2', soft: true }, resolve: () => 'found' }), // deleted
  }),
});
export const known: FeatureKey = 'new_checkout';
export const unknown: FeatureKey = 'new_chekcout'; // misspelt
export const asked = (key: string) => features.isEnabled(key as FeatureKey);
`;

/** A frontend, with the client and both SDKs of OpenFeature. */
const page = `import { createClient, type FeatureKey, type Json, type JsonObject } from '@halyard/client';
import { OpenFeature } from '@openfeature/web-sdk';
import { OpenFeature as OnServers } from '@openfeature/server-sdk';

const client = createClient({ url: 'https://flags.example.com' });
const web = OpenFeature.getClient();
const server = OnServers.getClient();
export const answers = [
  client.isEnabled('new_checkout'),
  client.isEnabled('new_chekcout'), // misspelt
  client.value('theme', 'blue'),
  client.value('theme', 'green'), // of another type
  web.getBooleanValue('new_checkout', false),
  web.getBooleanValue('new_chekcout', false), // in OpenFeature
  web.getBooleanValue('theme', false), // in OpenFeature
  web.getStringValue('theme', 'blue'),
  server.getNumberValue('page_size', 5),
  server.getNumberValue('theme', 5), // in OpenFeature
  server.getObjectValue('limits', {}),
  server.getObjectValue('steps', []),
  server.getObjectValue('page_size', {}), // in OpenFeature
];
export const limits: JsonObject = client.value('limits', {});
export const steps: readonly Json[] = client.value('steps', []);
export const key: FeatureKey = 'theme';
`;

const flag = (key: string): DeclaredFlag => {
  return { key, name: `The flag ${key}`, description: null, type: 'BOOLEAN', variants: [] };
};
const valued: readonly DeclaredFlag[] = [
  { ...flag('theme'), type: 'STRING', variants: [{ value: 'blue' }, { value: 'red' }] },
  { ...flag('page_size'), type: 'NUMBER', variants: [{ value: 5 }] },
  { ...flag('limits'), type: 'OBJECT', variants: [{ value: { perMinute: 5 } }] },
  { ...flag('steps'), type: 'OBJECT', variants: [{ value: [1] }] },
];
const declared = [...['new_checkout', 'checkout.v2', '2fa'].map(flag), ...valued];
const all = featureTypes(declared);

let directory: string;
beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'halyard-types-')));
  await mkdir(join(directory, 'node_modules'));
  const halyard = fileURLToPath(new URL('..', import.meta.url));
  await symlink(halyard, join(directory, 'node_modules', 'halyard'));
  await symlink(join(halyard, 'node_modules', '@pothos'), join(directory, 'node_modules', '@pothos'));
  await symlink(join(halyard, 'node_modules', '@halyard'), join(directory, 'node_modules', '@halyard'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const parsed = new Map<string, ts.SourceFile | undefined>();

/** Compiles the project; what is wrong, as the comment of each line at fault, or the message of a fault elsewhere. */
async function build(
  features: string | null,
  resolution: { readonly module: ts.ModuleKind; readonly moduleResolution: ts.ModuleResolutionKind },
  type: 'module' | 'commonjs',
  { main = source, more = '' } = {},
): Promise<{ readonly at: string | undefined; readonly message: string }[]> {
  const project = await mkdtemp(join(directory, 'project-'));
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type }));
  await writeFile(join(project, 'main.mts'), main);
  const files = [join(project, 'main.mts')];
  if (features !== null) {
    await writeFile(join(project, 'features.d.ts'), features);
    files.push(join(project, 'features.d.ts'));
  }
  if (more !== '') {
    await writeFile(join(project, 'more.d.ts'), more);
    files.push(join(project, 'more.d.ts'));
  }
  const options: ts.CompilerOptions = {
    ...resolution,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
    strict: true,
    noEmit: true,
    // Declarations of libraries are checked by package.test.ts; here they would take most of the time.
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  // The libraries are the same for every project, and reading them takes longer than all the rest.
  host.getSourceFile = (name, target, ...rest) => {
    if (!name.includes('/typescript/lib/')) return getSourceFile(name, target, ...rest);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, target, ...rest));
    return parsed.get(name);
  };
  const program = ts.createProgram(files, options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n');
    if (file === undefined || !file.fileName.endsWith('main.mts')) return { at: file?.fileName, message };
    return { at: main.split('\n')[file.getLineAndCharacterOfPosition(start).line]?.trim(), message };
  });
}

const linesWith = (...notes: string[]) => linesOf(source, notes);
const linesOf = (main: string, notes: readonly string[]) =>
  main
    .split('\n')
    .map(line => line.trim())
    .filter(line => notes.some(note => line.includes(note)));

describe.each([
  { name: 'bundler', module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
  { name: 'nodenext', module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
])('with moduleResolution $name', ({ module, moduleResolution }) => {
  it.each<{ title: string; features: string | null; type?: 'commonjs'; wrong: string[] }>([
    { title: 'without the file any text is a key', features: null, wrong: linesWith('const theme:', 'const exact:') },
    {
      title: 'a misspelt key fails the build, and so does a value of another type',
      features: all,
      wrong: linesWith('misspelt', 'of another type'),
    },
    {
      title: 'a misspelt key fails the build of a package that is not "type": "module"',
      features: all,
      type: 'commonjs',
      wrong: linesWith('misspelt', 'of another type'),
    },
    {
      title: 'so does that of a flag deleted since',
      features: featureTypes([flag('new_checkout'), ...valued]),
      wrong: linesWith('misspelt', 'deleted', 'of another type'),
    },
    {
      // A type without properties lets any pass, so that pins are no fault here.
      title: 'without flags so does every key',
      features: featureTypes([]),
      wrong: linesWith("'new_checkout'", '.value(', '// misspelt', '// deleted'),
    },
  ])('$title', async ({ features, type = 'module' as const, wrong }) => {
    const faults = await build(features, { module, moduleResolution }, type);
    expect(faults.map(({ at }) => at)).toEqual(wrong);
    for (const { message } of faults) expect(message).toMatch(/is not assignable to|only specify known properties/);
  });

  it.each<{ title: string; features: string; more?: string; notes: string[] }>([
    {
      title: 'for the client, misspelt keys fail there and in OpenFeature',
      features: featureTypes(declared, { client: true }),
      notes: ['misspelt', 'of another type', 'in OpenFeature'],
    },
    {
      title: 'for the client alone, OpenFeature takes any key',
      features: featureTypes(declared, { client: true, openfeature: false }),
      notes: ['misspelt', 'of another type'],
    },
    {
      title: 'for the client and for the library in one program, both files are taken',
      features: featureTypes(declared, { client: true }),
      more: all,
      notes: ['misspelt', 'of another type', 'in OpenFeature'],
    },
  ])('$title', async ({ features, more = '', notes }) => {
    // Linked here: the projects above prove that without OpenFeature the file is no error.
    await linkToScope('@openfeature');
    const faults = await build(features, { module, moduleResolution }, 'module', { main: page, more });
    expect(faults.map(({ at }) => at)).toEqual(linesOf(page, notes));
  });
});

/** Links a scope of packages into the project. */
async function linkToScope(scope: string): Promise<void> {
  const target = fileURLToPath(new URL(`../node_modules/${scope}`, import.meta.url));
  await symlink(target, join(directory, 'node_modules', scope)).catch(() => {});
}
