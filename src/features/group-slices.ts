import { setImmediate as breathe } from 'node:timers/promises';
import { type Issue, ValidationError } from '../core/errors.js';
import { type GroupInput, inputIssues, inputs, maxGroupUsers } from '../core/inputs.js';

/**
 * Changes the members of a group in slices of at most {@link maxGroupUsers} users, one after the other, and returns the sum of
 * the results. The whole input is checked before the first slice.
 * @throws ValidationError with the faults of all slices.
 */
export async function inSlices(
  input: GroupInput,
  change: (slice: GroupInput) => Promise<number>,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<number> {
  const { userIds } = input;
  const total = Array.isArray(userIds) ? userIds.length : 0;
  const slices: GroupInput[] = total === 0 ? [input] : [];
  for (let from = 0; from < total; from += maxGroupUsers) {
    slices.push({ ...input, userIds: userIds.slice(from, from + maxGroupUsers) });
  }
  if (slices.length > 1) await check(slices);
  let changed = 0;
  for (const [index, slice] of slices.entries()) {
    changed += await change(slice);
    onProgress(Math.min((index + 1) * maxGroupUsers, total), total);
  }
  return changed;
}

async function check(slices: readonly GroupInput[]): Promise<void> {
  const issues: Issue[] = [];
  for (const [index, slice] of slices.entries()) {
    for (const { path, message } of inputIssues(inputs.group, slice)) {
      const [field, position] = path;
      if (field !== 'userIds') {
        if (index === 0) issues.push({ path, message });
      } else {
        issues.push({ path: [field, String(Number(position) + index * maxGroupUsers)], message });
      }
    }
    // The check of a million ids takes a second: other work gets a turn between two slices.
    await breathe();
  }
  const [first, ...rest] = issues;
  if (first !== undefined) throw new ValidationError([first, ...rest]);
}
