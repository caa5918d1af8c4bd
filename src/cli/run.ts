import { CommanderError } from 'commander';
import { describeFailure, exitCodeOf } from './failure.js';
import { createProgram, type Terminal } from './program.js';

/**
 * Runs one command to its end. Failures are printed to `terminal.errors`, never thrown.
 * @param args the arguments after the name of the program.
 * @returns the exit code: 0 for success, 1 for a failure, 2 for wrong options.
 */
export async function run(args: readonly string[], terminal: Terminal, env: NodeJS.ProcessEnv): Promise<number> {
  try {
    await createProgram(terminal, env).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has printed the message. Help and version are no failures; a missing command is one.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    terminal.errors.write(`${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}
