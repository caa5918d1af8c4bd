// Writes schema.graphql from the code, as `npm run codegen` does. With --check it only says whether that would change it.
import { readFileSync, writeFileSync } from 'node:fs';
import { printSchema } from 'graphql';
import { createSchema } from '../src/graphql/index.js';

const file = new URL('../schema.graphql', import.meta.url);
const printed = `${printSchema(createSchema())}\n`;

if (!process.argv.includes('--check')) {
  writeFileSync(file, printed);
} else if (readFileSync(file, 'utf8') !== printed) {
  console.error('schema.graphql differs from the code: run `npm run codegen` to write it.');
  process.exitCode = 1;
}
