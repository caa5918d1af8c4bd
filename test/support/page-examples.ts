import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { httpClient, type ResultStream, type WsClient } from './clients.js';
import { type CodeBlock, codeBlocks } from './markdown.js';
import type { TestRole, TestServer } from './server.js';

/** The folder of the package, where its examples run: there `halyard` is the package itself. */
export const packageRoot = new URL('../..', import.meta.url);

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly CodeBlock[];
}

/** The README, and the pages that hold the longer examples of its sections. */
export const readmePages = [
  'README.md',
  'docs/gating.md',
  'docs/library.md',
  'docs/live.md',
  'docs/managing.md',
  'docs/targeting.md',
  'docs/testing.md',
  'docs/values.md',
];

export function readPage(path: string): Page {
  const text = readFileSync(new URL(path, packageRoot), 'utf8');
  return { path, text, blocks: codeBlocks(text) };
}

/** A block that is run against a server, and the block right after it that states the answer, if there is one. */
export interface PageExample extends CodeBlock {
  readonly expected: CodeBlock | null;
}

/** The operations, the pushed updates, the commands and the statements in SQL of a page, in their order. */
export function examplesOf({ blocks }: Page): PageExample[] {
  return blocks.flatMap((block, index) => {
    const { language, code, note } = block;
    if (isPushed(block)) return [{ ...block, expected: block }];
    const isCommand = language === 'sh' && (note !== null || code.startsWith('curl '));
    if (language !== 'graphql' && language !== 'sql' && !isCommand) return [];
    const next = blocks[index + 1];
    const isAnswer = next !== undefined && /^(json|text)$/.test(next.language) && !isPushed(next);
    return [{ ...block, expected: isAnswer ? next : null }];
  });
}

/** An update that the page shows without asking for it. */
function isPushed({ language, note }: CodeBlock): boolean {
  return language === 'json' && note === 'pushed';
}

/**
 * Runs the examples of one page against one server, from top to bottom. The note before a block says whose it is, such as
 * `as admin`; `stays open` keeps a subscription for the updates that the page shows later, and `ends with 1` is an exit code.
 */
export class PageRun implements AsyncDisposable {
  readonly #server: TestServer;
  readonly #directory: string;
  #open: { readonly client: WsClient; readonly updates: ResultStream } | null = null;

  /** @param directory where commands run. */
  constructor(server: TestServer, directory = fileURLToPath(packageRoot)) {
    this.#server = server;
    this.#directory = directory;
  }

  /** Returns what an example other than SQL answers. Rejects when it fails. */
  async answer(example: CodeBlock): Promise<string> {
    const { language, code, note } = example;
    if (isPushed(example)) return JSON.stringify((await this.#open?.updates.next())?.data);
    if (language === 'sh') return this.#shell(code, note);
    const role = roleOf(note);
    if (code.startsWith('subscription')) return this.#firstUpdate(code, role, note?.includes('stays open') ?? false);
    const { body } = await httpClient(this.#server.url, await this.#server.token(role)).query(code);
    if (body.errors !== undefined) throw new Error(JSON.stringify(body.errors));
    return JSON.stringify(body.data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.updates[Symbol.asyncDispose]();
    await this.#open?.client[Symbol.asyncDispose]();
    this.#open = null;
  }

  async #firstUpdate(code: string, role: TestRole, staysOpen: boolean): Promise<string> {
    await this[Symbol.asyncDispose]();
    const client = await this.#server.ws(role);
    this.#open = { client, updates: client.subscribe(code) };
    const { data } = await this.#open.updates.next();
    if (!staysOpen) await this[Symbol.asyncDispose]();
    return JSON.stringify(data);
  }

  async #shell(code: string, note: string | null): Promise<string> {
    const halyard = `'${process.execPath}' '${fileURLToPath(new URL('dist/cli/main.js', packageRoot))}'`;
    const command = code.replaceAll('http://127.0.0.1:4000', this.#server.url).replace(/^npx halyard/, halyard);
    const token = note === null ? undefined : await this.#server.token(roleOf(note));
    const env = { ...process.env, ...(token === undefined ? {} : { HALYARD_TOKEN: token }) };
    const { exitCode, output } = await shell(command, { cwd: this.#directory, env });
    const expected = Number(/ends with (\d)/.exec(note ?? '')?.[1] ?? 0);
    if (exitCode !== expected) throw new Error(`It ended with ${exitCode} in place of ${expected}: ${output}`);
    return output;
  }
}

function roleOf(note: string | null): TestRole {
  const role = /^as (anonymous|user|service|admin)\b/.exec(note ?? '')?.[1];
  if (role === undefined) throw new Error(`An example does not say whose it is: ${note}`);
  return role as TestRole;
}

interface ShellOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

async function shell(command: string, options: ShellOptions): Promise<{ exitCode: number; output: string }> {
  return new Promise(resolve => {
    const child = execFile('bash', ['-c', command], options, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

const run = promisify(execFile);

/** Runs an example in TypeScript as a program of its own, and returns what it printed in one line. */
export async function printedBy(code: string): Promise<string> {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(code, { compilerOptions });
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', outputText], { cwd: packageRoot });
  return stdout.trim().replaceAll(/\s*\n\s*/g, ' ');
}
