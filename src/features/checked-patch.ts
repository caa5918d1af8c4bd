import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../backends/backend.js';
import { type Issue, refuse } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type { FlagPatch } from '../core/inputs.js';
import { shortened } from '../core/text.js';
import { patchIssues, removalIssues } from '../core/values.js';
import { variantKeys } from '../core/variants.js';

/** The fields of a patch that are checked together with the fields that stay. */
const relatedFields: readonly (keyof FlagPatch)[] = ['conditions', 'variants', 'offVariant', 'rules'];

/** Whether a patch must be checked against the flag that it changes. */
export function isRelated(patch: FlagPatch): boolean {
  return relatedFields.some(field => field in patch);
}

/** A patch with the flag that it is to change. */
export interface Patching {
  readonly flag: Flag;
  readonly patch: FlagPatch;
  /** The path to the patch in the input. */
  readonly path: readonly string[];
}

/** The faults of a flag as it would be after a patch, but for the variants that overrides name. */
export function patchingIssues({ flag, patch, path }: Patching): Issue[] {
  const removal = removalIssues(flag, patch);
  return below(path, removal.length > 0 ? removal : patchIssues(flag, patch));
}

/** The variants that a patch removes from a flag. */
export function removedVariants({ flag, patch }: Pick<Patching, 'flag' | 'patch'>): ReadonlySet<string> {
  const kept = new Set(variantKeys(patch.variants ?? flag.variants));
  return new Set(variantKeys(flag.variants).filter(variant => !kept.has(variant)));
}

/** @throws ValidationError if patches remove variants that overrides name. */
export async function refuseOverridden(backend: Backend, patchings: readonly Patching[]): Promise<void> {
  const removing = patchings.filter(patching => removedVariants(patching).size > 0);
  if (removing.length === 0) return;
  const overridden = await backend.overriddenVariants(removing.map(({ flag }) => flag.key));
  refuse(
    removing.flatMap(patching => {
      const removed = removedVariants(patching);
      const named = [...(overridden.get(patching.flag.key) ?? [])].filter(([variant]) => removed.has(variant));
      return named.map(([variant, userId]) => ({
        path: [...patching.path, 'variants'],
        message: `The variant "${variant}" is named by an override of the user "${shortened(userId)}". Change or remove the overrides that name it first.`,
      }));
    }),
  );
}

/** The issues of a part of an input, with their paths in the input. */
export function below(path: readonly string[], issues: readonly Issue[]): Issue[] {
  return issues.map(issue => ({ ...issue, path: [...path, ...issue.path] }));
}

/** Milliseconds that are added to the longest pause after each attempt of {@link checkedWrite}. */
const crossedDelay = 2;

/**
 * Checks something that is stored and writes what holds for it, again and again as long as the write is crossed: what it is about was
 * changed after the check.
 * @param isCrossed whether an error of the write says so.
 * @param attempts after that many the error of the write is thrown.
 */
export async function checkedWrite<Checked, T>(
  check: () => Promise<Checked>,
  write: (checked: Checked) => Promise<T>,
  isCrossed: (error: unknown) => boolean,
  attempts = 100,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const checked = await check();
    try {
      return await write(checked);
    } catch (error) {
      if (!isCrossed(error) || attempt === attempts) throw error;
      await sleep(Math.random() * Math.min(attempt * crossedDelay, 20 * crossedDelay));
    }
  }
}

export function withoutUndefined(patch: { [Key in keyof FlagPatch]: FlagPatch[Key] | undefined }): FlagPatch {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}
