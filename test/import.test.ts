import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const root = join(import.meta.dirname, '..');
const dist = (name: string) => JSON.stringify(pathToFileURL(join(root, 'dist', name)).href);

/** Writes down every file that is loaded, by `import` or by `require`. */
const tracer = `
  import { createRequire, register } from 'node:module';
  import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
  const { port1, port2 } = new MessageChannel();
  const hooks = \`
    let port;
    export const initialize = data => { port = data; };
    export const load = (url, context, next) => { port.postMessage(url); return next(url, context); };
  \`;
  register('data:text/javascript,' + encodeURIComponent(hooks), { data: port2, transferList: [port2] });
  port1.unref();
  export const loaded = () => {
    const urls = Object.keys(createRequire(import.meta.url).cache).map(path => 'file://' + path);
    for (let entry = receiveMessageOnPort(port1); entry; entry = receiveMessageOnPort(port1)) urls.push(entry.message);
    return [...new Set(urls)].filter(url => url.startsWith('file:'));
  };
`;

interface Report {
  readonly packages: string[];
  readonly modules: number;
  readonly milliseconds: number;
  readonly result: unknown;
}

/** What a program loads, by package, in a process of its own. */
async function trace(code: string): Promise<Report> {
  const directory = await mkdtemp(join(tmpdir(), 'halyard-import-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'tracer.mjs'), tracer);
  await writeFile(
    join(directory, 'main.mjs'),
    `import { loaded } from './tracer.mjs';
     const start = performance.now();
     const result = await (async () => { ${code} })();
     const milliseconds = performance.now() - start;
     const urls = loaded().filter(url => !url.endsWith('main.mjs') && !url.endsWith('tracer.mjs'));
     const packages = urls.flatMap(url => /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1] ?? []);
     console.log(JSON.stringify({ packages: [...new Set(packages)].sort(), modules: urls.length, milliseconds, result }));`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', join(directory, 'main.mjs')]);
  return JSON.parse(stdout) as Report;
}

const light = ['dataloader', 'ipaddr.js', 'lru-cache', 're2js', 'semver', 'zod'];

it('halyard loads no database, and no GraphQL, where none is asked for', async () => {
  const { packages, result } = await trace(`
    const { createFeatures, MemoryBackend } = await import(${dist('index.js')});
    const features = await createFeatures({ backend: new MemoryBackend() });
    await features.createFlag({ key: 'a', name: 'A', enabled: true });
    const answer = await features.getAll();
    await features.close();
    return answer;`);
  expect(result).toEqual({ a: true });
  expect(packages).toEqual(light);
});

it('halyard/testing loads no more', async () => {
  const { packages } = await trace(`await import(${dist('testing.js')});`);
  expect(packages).toEqual(light);
});

it('halyard loads the database that is asked for, and no GraphQL', async () => {
  const { packages } = await trace(`
    const { createFeatures } = await import(${dist('index.js')});
    await createFeatures({ databaseUrl: 'postgresql://nobody@127.0.0.1:1/nothing' }).catch(() => {});`);
  expect(packages).toEqual(expect.arrayContaining(['@prisma/client', 'pg']));
  expect(packages.filter(name => /graphql|pothos|^ws$|pino/.test(name))).toEqual([]);
});
