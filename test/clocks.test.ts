import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));

/** Sources that may ask the clock, each with the instant that they compare it with. */
const instants: Readonly<Record<string, string>> = {
  'auth/sign-in-codes.ts': 'when a code is made, and whether it has expired',
  'auth/token.ts': 'when a token begins and expires',
  'auth/verifier.ts': 'when a token expires',
  'backends/directory-lock.ts': 'when a file was written, by the clock of the file system',
  'backends/memory.ts': 'it writes when rows are made and changed',
  'features/service.ts': 'when an override expires',
  'openfeature/http-api.ts': 'a `Retry-After` that is a date',
  'server/http/deadlines.ts': 'when a token expires; it looks again after each second',
  'server/protocols/ofrep/evaluate.ts': 'until when a ticket is handed out',
  'server/protocols/ofrep/events.ts': 'when a ticket expires',
  'server/protocols/ofrep/tickets.ts': 'when a ticket expires',
};

it('only instants are compared with the clock: intervals are counted on one that nobody sets', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    file => file.endsWith('.ts') && !file.startsWith('generated/'),
  );
  const asking = files.filter(file => /\bDate\.now\b|\bnew Date\(\)/.test(readFileSync(source + file, 'utf8')));
  expect(asking.sort()).toEqual(Object.keys(instants).sort());
});
