import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What runs here, runs as on somebody's machine: nothing of this run, or of the npm that started it. */
export const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|command|config_local_prefix)|INIT_CWD|NODE_|VITEST|FEATURE_|HALYARD_|AUTH_|DATABASE_URL|PORT|HOST)/.test(
        name,
      ),
  ),
);

/** Whether packages can be installed here. Without a network everything else can still be tested. */
export const hasRegistry = await promisify(execFile)('npm', ['view', 'semver', 'version'], { timeout: 30_000 }).then(
  () => true,
  () => false,
);

/** What `npm publish` would upload, built from the sources as they are, in `folder`. */
export async function pack(folder: string, version: string): Promise<string> {
  const project = join(folder, 'project');
  await copySources(root, project);
  return packProject(project, project, folder, `halyard-${version}.tgz`);
}

/** The same of `@halyard/client`. */
export async function packClient(folder: string, version: string): Promise<string> {
  const project = join(folder, 'client-project');
  const client = join(project, 'packages/client');
  await copySources(join(root, 'packages/client'), client);
  await cp(join(root, 'tsconfig.json'), join(project, 'tsconfig.json'));
  return packProject(project, client, folder, `halyard-client-${version}.tgz`);
}

async function copySources(from: string, to: string): Promise<void> {
  const left = ['node_modules', 'dist', '.git', '.halyard'];
  await cp(from, to, { recursive: true, filter: path => !left.includes(basename(path)) });
}

/** @param workspace the folder of the package; `project` or below it. */
async function packProject(project: string, workspace: string, folder: string, name: string): Promise<string> {
  // npm keeps some packages of a workspace below it.
  for (const place of ['.', 'packages/console']) {
    const installed = join(root, place, 'node_modules');
    if (existsSync(installed) && existsSync(join(project, place))) {
      await symlink(installed, join(project, place, 'node_modules'));
    }
  }
  await run('npm', ['pack', '--pack-destination', folder], workspace);
  const packed = join(folder, name);
  await stat(packed);
  await rename(project, `${project}-gone`);
  return packed;
}

/** Makes an empty project and installs packages in it. */
export async function install(project: string, packages: readonly string[]): Promise<void> {
  await mkdir(project);
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], project);
}

/** Resolves with what a program wrote; rejects, with all of it, when it fails. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd, env })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
}

/** Writes a program as TypeScript, for {@link compile}, and as JavaScript, to run it. */
export async function writeProgram(project: string, name: string, code: string): Promise<void> {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.ESNext, target: 99 } });
  await writeFile(join(project, `${name}.ts`), code);
  await writeFile(join(project, `${name}.js`), outputText);
}

export const resolutions = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const;

/** Runs the compiler, under `strict`, over files of a project; what it finds, one a line. */
export async function compile(project: string, include: readonly string[], options: object): Promise<string[]> {
  const compilerOptions = {
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    ...options,
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include }));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], {
    cwd: project,
    env,
  }).catch((error: { readonly stdout?: string }) => {
    if (error.stdout === undefined || error.stdout === '') throw error;
    return { stdout: error.stdout };
  });
  return stdout.split('\n').filter(line => /\berror TS\d+:/.test(line));
}
