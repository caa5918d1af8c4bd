// Writes schema.graphql from the code. `npm run codegen` runs it.
import { writeFileSync } from 'node:fs';
import { printSchema } from 'graphql';
import { createSchema } from '../src/graphql/index.js';

writeFileSync(new URL('../schema.graphql', import.meta.url), `${printSchema(createSchema())}\n`);
