#!/usr/bin/env node
import { run } from './run.js';

const code = await run(process.argv.slice(2), { output: process.stdout, errors: process.stderr }, process.env);
// Exit without waiting for open connections, but only after all output is written.
process.stdout.write('', () => process.exit(code));
