import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Until `/health` is answered. Ends the program when it takes more than two minutes. */
export async function waitUntilHealthy(url: string, child: ChildProcess): Promise<void> {
  const end = Date.now() + 120_000;
  const isHealthy = () =>
    fetch(`${url}/health`).then(
      response => response.ok,
      () => false,
    );
  while (!(await isHealthy())) {
    if (Date.now() > end || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`${child.spawnargs.slice(1).join(' ')} did not start.`);
    }
    await sleep(50);
  }
}
