import { afterEach } from 'vitest';
import { createDatabase, type TestDatabase } from './postgres.js';

/** What is to be done after the present test, the last one first. */
export const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A database that is dropped after the present test. */
export async function database(options: Parameters<typeof createDatabase>[0] = {}): Promise<TestDatabase> {
  const made = await createDatabase(options);
  cleanups.push(() => made.drop());
  return made;
}
