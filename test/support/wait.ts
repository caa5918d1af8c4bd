/** Waits until a condition holds; fails with `what` when it does not within `timeout` milliseconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeout = 10_000,
): Promise<void> {
  const end = Date.now() + timeout;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited ${timeout} ms in vain until ${what}.`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

/** Resolves after everything that is due now has run: a few turns of the event loop. */
export async function settle(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(resolve => setImmediate(resolve));
}
