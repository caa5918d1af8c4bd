import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { builtinModules, createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpClient } from './support/clients.js';
import { codeBlocks, promisedOutput } from './support/markdown.js';
import { until } from './support/wait.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const examples = codeBlocks(readFileSync(join(root, 'README.md'), 'utf8')).filter(({ language }) => language === 'ts');

const program = `import { readConfig, startServer } from 'halyard/server';

const server = await startServer(readConfig({ FEATURE_BACKEND: 'memory', PORT: '0', LOG_LEVEL: 'warn' }));
console.log(server.url);
const answer = await fetch(server.url + '/graphql?query=' + encodeURIComponent('{ viewer { featureMap } }'));
console.log(await answer.text());
await server.close();
`;

/** What runs here, runs as on somebody's machine: nothing of this run, or of the npm that started it. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|command|config_local_prefix)|INIT_CWD|NODE_|VITEST|FEATURE_|HALYARD_|AUTH_|DATABASE_URL|PORT|HOST)/.test(
        name,
      ),
  ),
);

let folder: string;
let tarball: string;
/** An empty project that has the package installed. */
let app: string;
let installed: string;

// Installing a package as its users do takes a registry. Without a network everything else can still be tested.
const hasRegistry = await promisify(execFile)('npm', ['view', 'semver', 'version'], { timeout: 30_000 }).then(
  () => true,
  () => false,
);

beforeAll(async () => {
  if (!hasRegistry) return;
  folder = await mkdtemp(join(tmpdir(), 'halyard-package-'));
  tarball = await pack(join(folder, 'project'));
  app = join(folder, 'app');
  installed = join(app, 'node_modules', 'halyard');
  await mkdir(app);
  await writeFile(join(app, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball]);
}, 300_000);

afterAll(async () => {
  if (hasRegistry) await rm(folder, { recursive: true, force: true });
});

describe.runIf(hasRegistry)('the tarball', () => {
  it('holds what was built, what is needed to run it, and what there is to read', async () => {
    const sources = (await filesIn(join(root, 'src'))).filter(file => !file.endsWith('.d.ts'));
    const built = sources.flatMap(file => ['.js', '.js.map', '.d.ts'].map(end => `dist/${file.replace(/\.ts$/, end)}`));
    const migrations = (await filesIn(join(root, 'prisma/migrations'))).map(file => `prisma/migrations/${file}`);
    const docs = (await filesIn(join(root, 'docs'))).map(file => `docs/${file}`);
    const rest = [...docs, 'LICENSE', 'README.md', 'package.json', 'prisma/schema.prisma', 'schema.graphql'];
    expect(await filesIn(installed)).toEqual([...built, ...migrations, ...rest].sort());
  });

  it('is small', async () => {
    expect((await stat(tarball)).size).toBeLessThan(750_000);
  });

  it('has source maps that bring their sources', async () => {
    for (const file of (await filesIn(installed)).filter(name => name.endsWith('.js'))) {
      const code = await readFile(join(installed, file), 'utf8');
      expect(code).toContain(`//# sourceMappingURL=${basename(file)}.map`);
      const map = JSON.parse(await readFile(join(installed, `${file}.map`), 'utf8'));
      expect(map.sourcesContent, file).toEqual([expect.any(String)]);
    }
  });

  it('imports nothing but its dependencies', async () => {
    const known = new Set([...Object.keys(manifest.dependencies), ...builtinModules.map(name => `node:${name}`)]);
    const found = new Set<string>();
    for (const file of (await filesIn(installed)).filter(name => name.endsWith('.js'))) {
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
    expect(await run('npx', ['halyard', '--version'])).toBe(`${manifest.version}\n`);
  });

  it('serves, and takes the tokens that it mints', async () => {
    await using server = await serve();
    const anonymous = await httpClient(server.url).query('{ viewer { featureMap } }');
    expect(anonymous.body).toEqual({ data: { viewer: { featureMap: {} } } });

    const token = await run('npx', ['halyard', 'token', '--admin']);
    const created = await httpClient(server.url, token.trim()).query(
      'mutation { createFlag(input: { key: "packed", name: "Packed", enabled: true }) { __typename } }',
    );
    expect(created.body).toEqual({ data: { createFlag: { __typename: 'CreateFlagPayload' } } });
    const after = await httpClient(server.url).query('{ viewer { featureMap } }');
    expect(after.body).toEqual({ data: { viewer: { featureMap: { packed: true } } } });

    const page = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('<title>Halyard</title>');
  });
});

describe.runIf(hasRegistry)('the library', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    for (const [index, { code }] of examples.entries()) {
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: 99 },
      });
      await writeFile(join(app, `example-${index}.ts`), code);
      await writeFile(join(app, `example-${index}.js`), outputText);
    }
    await writeFile(join(app, 'server.ts'), program);
    await writeFile(join(app, 'server.js'), program);
  });

  // The examples alone also with the declarations of everything that they lead to; a server leads to many libraries.
  it.each([
    { module: 'nodenext', moduleResolution: 'nodenext', skipLibCheck: false, include: ['example-*.ts'] },
    { module: 'nodenext', moduleResolution: 'nodenext', skipLibCheck: true, include: ['*.ts'] },
    { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true, include: ['*.ts'] },
  ])(
    'has types for $moduleResolution, skipLibCheck $skipLibCheck',
    { timeout: 120_000 },
    async ({ include, ...options }) => {
      const compilerOptions = {
        ...options,
        target: 'es2022',
        lib: ['es2022', 'dom'],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noEmit: true,
      };
      const config = `tsconfig.${options.moduleResolution}-${options.skipLibCheck}.json`;
      await writeFile(join(app, config), JSON.stringify({ compilerOptions, include }));
      const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
      await run(process.execPath, [tsc, '-p', config]);
    },
  );

  it.each(examples.map((example, index) => ({ ...example, index })))(
    'runs example $index of the README',
    async example => {
      const output = await run(process.execPath, [`example-${example.index}.js`]);
      expect(promisedOutput(example.code).length).toBeGreaterThan(0);
      expect(output.trim().replaceAll(/\s*\n\s*/g, ' ')).toBe(promisedOutput(example.code).join(' '));
    },
  );

  it('starts a server inside a program', async () => {
    const [url, answer] = (await run(process.execPath, ['server.js'])).trim().split('\n').slice(-2);
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

/** What `npm publish` would upload, built from the sources as they are. */
async function pack(project: string): Promise<string> {
  const left = ['node_modules', 'dist', '.git', '.halyard'];
  await cp(root, project, { recursive: true, filter: path => !left.includes(basename(path)) });
  await symlink(join(root, 'node_modules'), join(project, 'node_modules'));
  await run('npm', ['pack', '--pack-destination', folder], project);
  const packed = join(folder, `halyard-${manifest.version}.tgz`);
  await stat(packed);
  await rename(project, join(folder, 'gone'));
  return packed;
}

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

/** Resolves with what a program wrote; rejects, with all of it, when it fails. */
async function run(command: string, args: readonly string[], cwd = app): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd, env })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
}

/** The paths of all files, with slashes, sorted. */
async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}
