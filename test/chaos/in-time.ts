import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds that anything may take. */
const stepTime = 90_000;

/** No wait of these harnesses is without an end: one that hangs says so. */
export async function inTime<T>(work: Promise<T>, what: string, milliseconds = stepTime): Promise<T> {
  const given = new AbortController();
  const late = sleep(milliseconds, null, { signal: given.signal }).then(() => {
    throw new Error(`Waited ${milliseconds} ms in vain for ${what}.`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    given.abort();
  }
}
