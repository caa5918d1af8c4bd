import { CommanderError } from 'commander';
import { describeFailure, exitCodeOf } from './failure.js';
import { createProgram } from './program.js';
import type { Terminal } from './terminal.js';

/**
 * Runs one command to its end. Failures are told on `terminal.errors`, never thrown.
 * @param args what follows the name of the program.
 * @returns the exit code: 0, 1 for a failure, 2 for a wrong use.
 */
export async function run(args: readonly string[], terminal: Terminal, env: NodeJS.ProcessEnv): Promise<number> {
  try {
    await createProgram(terminal, env).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said what is wrong. Asking for help or the version is no failure; naming no command is one.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    terminal.errors.write(`${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}
