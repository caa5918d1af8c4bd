import { inject } from 'vitest';

/** Asks the run for something that all test files share; see global-setup.ts. */
export async function shared<T>(path: string): Promise<T> {
  const response = await fetch(inject('supportUrl') + path);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}
