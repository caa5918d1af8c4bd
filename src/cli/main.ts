#!/usr/bin/env node
import { run } from './run.js';

const code = await run(process.argv.slice(2), { output: process.stdout, errors: process.stderr }, process.env);
// What is left open, such as a connection that will not end, keeps nobody waiting; what was written is read, though.
process.stdout.write('', () => process.exit(code));
