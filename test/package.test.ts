import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpClient } from './support/clients.js';
import { frameworkProjects } from './support/framework-programs.js';
import { promisedOutput } from './support/markdown.js';
import { compile, env, hasRegistry, install, pack, resolutions, root, run, writeProgram } from './support/package.js';
import { readmePages, readPage } from './support/page-examples.js';
import { until } from './support/wait.js';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const examples = readmePages
  .map(readPage)
  .flatMap(({ path, blocks }) => blocks.filter(({ language }) => language === 'ts').map(block => ({ ...block, path })))
  // A server has a program of its own below: its types lead to many libraries.
  .filter(({ code }) => !code.includes("'halyard/server'"));

const program = `import { readConfig, startServer } from 'halyard/server';

const server = await startServer(readConfig({ FEATURE_BACKEND: 'memory', PORT: '0', LOG_LEVEL: 'warn' }));
console.log(server.url);
const answer = await fetch(server.url + '/graphql?query=' + encodeURIComponent('{ viewer { featureMap } }'));
console.log(await answer.text());
await server.close();
`;

/** The entry points that need no package beside this one; the server has a program of its own. */
const entryPoints = Object.keys(manifest.exports).filter(entry => !/server|openfeature|\.(graphql|json)$/.test(entry));

/** Where the tarball has the console. */
const consoleFolder = 'dist/console/';

let folder: string;
let tarball: string;
/** An empty project that has the package installed. */
let app: string;
let installed: string;

beforeAll(async () => {
  if (!hasRegistry) return;
  folder = await mkdtemp(join(tmpdir(), 'halyard-package-'));
  tarball = await pack(folder, manifest.version);
  app = join(folder, 'app');
  installed = join(app, 'node_modules', 'halyard');
  await install(app, [tarball]);
}, 300_000);

afterAll(async () => {
  if (hasRegistry) await rm(folder, { recursive: true, force: true });
});

describe.runIf(hasRegistry)('the tarball', () => {
  it('contains the build, the files that it needs to run, and the documentation', async () => {
    const sources = (await filesIn(join(root, 'src'))).filter(file => !file.endsWith('.d.ts'));
    const built = sources.flatMap(file => ['.js', '.js.map', '.d.ts'].map(end => `dist/${file.replace(/\.ts$/, end)}`));
    const migrations = (await filesIn(join(root, 'prisma/migrations'))).map(file => `prisma/migrations/${file}`);
    const docs = (await filesIn(join(root, 'docs'))).map(file => `docs/${file}`);
    const pages = [...docs, 'CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md'];
    const database = `dist/initial-database-${manifest.dependencies['@electric-sql/pglite']}.tar.br`;
    const rest = [...pages, database, 'package.json', 'prisma/schema.prisma', 'schema.graphql'];
    const found = (await filesIn(installed)).filter(file => !file.startsWith(consoleFolder));
    expect(found).toEqual([...built, ...migrations, ...rest].sort());
  });

  it('is small', async () => {
    expect((await stat(tarball)).size).toBeLessThan(3_400_000);
  });

  it('has source maps that bring their sources', async () => {
    for (const file of await scriptsIn(installed)) {
      const code = await readFile(join(installed, file), 'utf8');
      expect(code).toContain(`//# sourceMappingURL=${basename(file)}.map`);
      const map = JSON.parse(await readFile(join(installed, `${file}.map`), 'utf8'));
      expect(map.sourcesContent, file).toEqual([expect.any(String)]);
    }
  });

  it('imports nothing but its dependencies', async () => {
    const own = { ...manifest.dependencies, ...manifest.peerDependencies };
    const known = new Set([...Object.keys(own), ...builtinModules.map(name => `node:${name}`)]);
    const found = new Set<string>();
    for (const file of await scriptsIn(installed)) {
      const code = await readFile(join(installed, file), 'utf8');
      for (const [, name = ''] of code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^."'][^"']*)["']/g)) {
        found.add(name.startsWith('node:') ? name : name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
      }
    }
    expect(found.size).toBeGreaterThan(20);
    expect([...found].filter(name => !known.has(name))).toEqual([]);
  });
});

describe.runIf(hasRegistry)('the command', { timeout: 120_000 }, () => {
  it('prints its version', async () => {
    expect(await run('npx', ['halyard', '--version'], app)).toBe(`${manifest.version}\n`);
  });

  it('serves the console, and signs in with the address that it prints', async () => {
    await using server = await serve();
    const printed = await run('npx', ['halyard', 'console', '--url', server.url], app);
    const address = new URL(printed.trim());
    const page = await fetch(address);
    expect(page.status).toBe(200);
    const script = /<script [^>]*src="([^"]+)"/.exec(await page.text())?.[1] ?? '';
    expect((await fetch(new URL(script, address))).headers.get('cache-control')).toContain('immutable');
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ code: address.hash.replace('#code=', '') });
    const session = await fetch(new URL('session', address), { method: 'POST', headers, body });
    const { token } = (await session.json()) as { token: string };
    expect((await httpClient(server.url, token).query('{ viewer { role } }')).body).toEqual({
      data: { viewer: { role: 'ADMIN' } },
    });
  });

  it('serves, and takes the tokens that it mints', async () => {
    await using server = await serve();
    const anonymous = await httpClient(server.url).query('{ viewer { featureMap } }');
    expect(anonymous.body).toEqual({ data: { viewer: { featureMap: {} } } });

    const token = await run('npx', ['halyard', 'token', '--admin'], app);
    const created = await httpClient(server.url, token.trim()).query(
      'mutation { createFlag(input: { key: "packed", name: "Packed", enabled: true }) { __typename } }',
    );
    expect(created.body).toEqual({ data: { createFlag: { __typename: 'CreateFlagPayload' } } });
    const after = await httpClient(server.url).query('{ viewer { featureMap } }');
    expect(after.body).toEqual({ data: { viewer: { featureMap: { packed: true } } } });

    const types = ['halyard', 'types', '--out', 'features.d.ts', '--url', server.url, '--token', token.trim()];
    expect(await run('npx', types, app)).toBe('Wrote features.d.ts: 1 flag.\n  added: packed\n');
    await writeFile(
      join(app, 'keys.ts'),
      "import type { FeatureKey } from 'halyard';\nexport const key: FeatureKey = 'pakced';\n",
    );
    expect(await compile(app, ['keys.ts', 'features.d.ts'], resolutions[0])).toEqual([
      expect.stringContaining(`Type '"pakced"' is not assignable to type '"packed"'`),
    ]);
    await run('npx', [...types, '--check'], app);

    const page = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('<title>Halyard</title>');
  });
});

describe.runIf(hasRegistry)('the library', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    for (const [index, { code }] of examples.entries()) await writeProgram(app, `example-${index}`, code);
    await writeProgram(app, 'server', program);
    const imports = entryPoints.map(
      (entry, index) => `export * as entry${index} from '${entry.replace('.', 'halyard')}';`,
    );
    await writeFile(join(app, 'entry-points.ts'), imports.join('\n'));
  });

  it.each(resolutions)('has types for $moduleResolution, with nothing but itself installed', async resolution => {
    const options = { ...resolution, lib: ['es2022', 'dom'], types: [], skipLibCheck: false };
    expect(await compile(app, ['example-*.ts', 'entry-points.ts'], options)).toEqual([]);
  });

  it.each(resolutions)('has types of a server for $moduleResolution', async resolution => {
    const found = await compile(app, ['server.ts'], { ...resolution, skipLibCheck: false });
    // A server leads to many libraries, and the declarations of one that it has no hand in have faults of their own.
    // With `skipLibCheck` nothing is found: it leaves out what stands in declarations, and adds nothing.
    const others = /^node_modules\/graphql-yoga\/node_modules\/lru-cache\/.*\.d\.[cm]?ts\(/;
    expect(found.filter(fault => !others.test(fault))).toEqual([]);
  });

  it.each(examples.map((example, index) => ({ ...example, index })))('runs example $index, of $path', async example => {
    const output = await run(process.execPath, [`example-${example.index}.js`], app);
    expect(promisedOutput(example.code).length).toBeGreaterThan(0);
    expect(output.trim().replaceAll(/\s*\n\s*/g, ' ')).toBe(promisedOutput(example.code).join(' '));
  });

  it('starts a server inside a program', async () => {
    const [url, answer] = (await run(process.execPath, ['server.js'], app)).trim().split('\n').slice(-2);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(JSON.parse(answer ?? '')).toEqual({ data: { viewer: { featureMap: {} } } });
  });

  it('loads neither a database nor a server where none is used', async () => {
    const light = join(folder, 'light');
    for (const name of ['halyard', 'dataloader', 'ipaddr.js', 'lru-cache', 're2js', 'semver', 'zod']) {
      await cp(join(app, 'node_modules', name), join(light, 'node_modules', name), { recursive: true });
    }
    await cp(join(app, 'package.json'), join(light, 'package.json'));
    await writeFile(
      join(light, 'main.js'),
      `import { createFeatures, MemoryBackend } from 'halyard';
       const features = await createFeatures({ backend: new MemoryBackend() });
       await features.createFlag({ key: 'light', name: 'Light', enabled: true });
       console.log(await features.getAll());
       await features.close();
       await createFeatures({ dataDir: 'data' }).catch(error => console.log(error.code));`,
    );
    const output = await run(process.execPath, ['main.js'], light);
    expect(output).toBe('{ light: true }\nERR_MODULE_NOT_FOUND\n');
  });
});

describe.runIf(hasRegistry).each(frameworkProjects)(
  'in an empty project with $name',
  ({ name, packages, programs, checksDeclarations = false }) => {
    let project: string;
    beforeAll(async () => {
      project = join(folder, name);
      await install(project, [tarball, ...packages]);
      for (const [index, { code }] of programs.entries()) await writeProgram(project, `program-${index}`, code);
    }, 300_000);

    it.each(programs.map((program, index) => ({ ...program, index })))('runs $name', async ({ index, answers }) => {
      const answered = `import('./program-${index}.js').then(program => console.log(JSON.stringify(program.answers)))`;
      expect(JSON.parse(await run(process.execPath, ['--eval', answered], project))).toEqual(answers);
    });

    it.each(resolutions)('has types for $moduleResolution', { timeout: 300_000 }, async resolution => {
      const found = await compile(project, ['program-*.ts'], { ...resolution, skipLibCheck: !checksDeclarations });
      // The declarations of OpenFeature's SDK have a fault of their own with the types of later versions of Node.js.
      expect(found.filter(fault => !fault.startsWith('node_modules/@openfeature/'))).toEqual([]);
    });
  },
);

async function serve(): Promise<AsyncDisposable & { readonly url: string }> {
  // A group of its own, as npx and its shell stand between this process and the server.
  const child: ChildProcess = spawn('npx', ['halyard', 'serve'], {
    cwd: app,
    env: { ...env, PORT: '0' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', text => {
      output += text;
    });
  }
  const address = () => /Halyard is up at (\S+)/.exec(output)?.[1];
  const closed = once(child, 'close');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), 'SIGTERM');
    await closed;
  };
  try {
    await until(() => address() !== undefined || child.exitCode !== null, 'the server is up', 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = address();
  if (url === undefined) throw new Error(`The server did not start: ${output}`);
  return { url, [Symbol.asyncDispose]: stop };
}

/** The paths of all files, with slashes, sorted. */
/** The programs of the server and the library. What browsers load is bundled. */
async function scriptsIn(directory: string): Promise<string[]> {
  return (await filesIn(directory)).filter(name => name.endsWith('.js') && !name.startsWith(consoleFolder));
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}
