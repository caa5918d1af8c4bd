import { join } from 'node:path';
import { shared } from './shared.js';

/**
 * The file that Node.js runs in place of `source`, a path from the root of the repository such as `src/cli/main.ts`. The sources
 * are compiled once a run, as they are when the first test file asks. A process that compiles them itself when it starts takes
 * half as long again until it is up.
 */
export async function compiled(source: string): Promise<string> {
  const { folder } = await shared<{ folder: string }>('/compiled');
  return join(folder, source.replace(/\.ts$/, '.js'));
}
