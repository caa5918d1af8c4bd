import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import ts from 'typescript';

const run = promisify(execFile);

/** The folder of the package, where its examples run: there `halyard` is the package itself. */
export const packageRoot = new URL('../..', import.meta.url);

/** Runs an example in TypeScript as a program of its own, and returns what it printed in one line. */
export async function printedBy(code: string): Promise<string> {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(code, { compilerOptions });
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', outputText], { cwd: packageRoot });
  return stdout.trim().replaceAll(/\s*\n\s*/g, ' ');
}
