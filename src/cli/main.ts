#!/usr/bin/env node
import { CommanderError } from 'commander';
import { describeFailure, exitCodeOf } from './failure.js';
import { createProgram } from './program.js';

try {
  await createProgram(process.stdout, process.env).parseAsync();
  // What is left open, such as a connection that will not end, keeps nobody waiting; what was written is read, though.
  process.stdout.write('', () => process.exit(0));
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong. Asking for help or the version is no failure; saying no command at all is one.
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exit(exitCodeOf(error));
}
