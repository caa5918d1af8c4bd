import type { z } from 'zod';
import type { Author, Backend, Guard, Step, Written } from '../backends/backend.js';
import {
  type Planned,
  type PlannedChange,
  planFor,
  readDefinition,
  readPatch,
  typeIssues,
} from '../core/definitions.js';
import {
  type Conflict,
  ConflictsError,
  CrossedError,
  FlagExistsError,
  FlagNotFoundError,
  type Issue,
  refuse,
  ValidationError,
  VersionConflictError,
} from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import type { inputs, NewFlag, ReadInput } from '../core/inputs.js';
import { shortened } from '../core/text.js';
import { mapInSlices } from '../streams/slices.js';
import {
  below,
  checkedWrite,
  isRelated,
  type Patching,
  patchingIssues,
  refuseOverridden,
  removedVariants,
  withoutUndefined,
} from './checked-patch.js';
import { definitionConflicts } from './definition-conflicts.js';

// Changes of several flags, as one batch: all of them or none.

/** The result of the application of definitions. */
export interface ApplicationOfDefinitions {
  /** What was changed, or what a dry run would have changed; sorted by key. */
  readonly plan: readonly PlannedChange[];
  /** How many definitions the stored flags equaled already. */
  readonly unchanged: number;
}

/** What is written, and what must not have been changed since it was checked. */
interface Prepared {
  readonly steps: readonly Step[];
  readonly guard: Guard;
}

/** How often a change is checked again because flags were changed meanwhile. */
const attempts = 10;

/**
 * Changes several flags. The patches are checked as that of `updateFlag` is.
 * @returns the flags as they are afterwards, in the order of the input.
 * @throws ValidationError
 * @throws FlagNotFoundError with the path to the first key that no flag has.
 * @throws ConflictsError with every flag that is not at its expected version.
 */
export async function updateFlags(
  backend: Backend,
  input: Pick<z.output<typeof inputs.updateFlags>, 'flags'>,
  by: Author,
): Promise<Written<readonly Flag[]>> {
  const given = await readList('flags', input.flags, readPatch);
  const written = await writeChecked(backend, by, async () => {
    const { flags, revision } = await backend.definitions();
    const stored = new Map(flags.map(flag => [flag.key, flag]));
    const patchings = given.map(({ key, expectedVersion = null, ...fields }, index) => {
      const path = ['flags', String(index)];
      const flag = stored.get(key);
      if (flag === undefined) throw new FlagNotFoundError(key, [...path, 'key']);
      return { flag, patch: withoutUndefined(fields), path, expectedVersion };
    });
    refuseConflicts(patchings.flatMap(versionConflict), flags);
    const related = patchings.filter(({ patch }) => isRelated(patch));
    refuse((await mapInSlices(related, patchingIssues)).flat());
    await refuseOverridden(backend, related);
    const steps = patchings.map(({ flag, patch, expectedVersion }): Step => {
      const isChecked = expectedVersion !== null || isRelated(patch);
      return { kind: 'updateFlag', key: flag.key, patch, expectedVersion: isChecked ? flag.version : null };
    });
    return { steps, guard: guardOf(revision, related) };
  });
  const now = new Map((await backend.definitions()).flags.map(flag => [flag.key, flag]));
  // A flag that was deleted since the write is left out.
  return { ...written, value: given.flatMap(({ key }) => now.get(key) ?? []) };
}

/**
 * Makes the stored flags equal definitions. A dry run makes the plan and changes nothing.
 * @throws ValidationError
 * @throws ConflictsError with every flag of the plan that was changed after `expectedRevision`.
 */
export async function applyDefinitions(
  backend: Backend,
  input: Omit<z.output<typeof inputs.applyDefinitions>, 'note'>,
  by: Author,
): Promise<Written<ApplicationOfDefinitions>> {
  const { prune, dryRun, expectedRevision = null } = input;
  if (prune && input.definitions.length === 0) {
    const message =
      'Without a definition this would delete every flag. Give the definitions that are to stay, or delete the flags one by one.';
    throw new ValidationError([{ path: ['prune'], message }]);
  }
  const definitions = await readList('definitions', input.definitions, readDefinition);
  const keys = prune ? null : definitions.map(({ key }) => key);
  let plan: Plan | undefined;
  const written = await writeChecked(backend, by, async () => {
    const { flags, revision } = await backend.definitions();
    if (expectedRevision !== null) {
      refuseConflicts(await definitionConflicts(backend, expectedRevision, keys), flags);
    }
    plan = await planOf(flags, definitions, prune);
    const updates = plan.changes.filter(change => change.action === 'UPDATE');
    await refuseOverridden(backend, updates);
    const deleted = plan.changes.filter(({ action }) => action === 'DELETE').map(({ key }) => key);
    const guard = guardOf(revision, updates, deleted);
    return { steps: dryRun ? [] : plan.changes.map(stepOf), guard };
  });
  const { changes, unchanged } = plan as Plan;
  const shown = changes.map(({ action, key, differences }) => ({ action, key, differences }));
  return { ...written, value: { plan: shown, unchanged } };
}

interface Plan {
  /** Sorted by key, in code unit order. */
  readonly changes: readonly Planned[];
  readonly unchanged: number;
}

/** @throws ValidationError naming the definitions that the stored flags cannot be made equal to. */
async function planOf(stored: readonly Flag[], definitions: readonly NewFlag[], prune: boolean): Promise<Plan> {
  const rest = new Map(stored.map(flag => [flag.key, flag]));
  const issues: Issue[] = [];
  const planned = await mapInSlices([...definitions.entries()], ([place, definition]) => {
    const path = ['definitions', String(place)];
    const flag = rest.get(definition.key) ?? null;
    rest.delete(definition.key);
    if (flag !== null) issues.push(...below(path, typeIssues(flag, definition)));
    return planFor(flag, definition, path);
  });
  refuse(issues);
  const changes = planned.filter(change => change !== null);
  const unchanged = planned.length - changes.length;
  if (prune) {
    for (const flag of rest.values()) changes.push({ action: 'DELETE', key: flag.key, flag, differences: [] });
  }
  changes.sort((one, other) => (one.key < other.key ? -1 : 1));
  return { changes, unchanged };
}

function stepOf(change: Planned): Step {
  if (change.action === 'CREATE') return { kind: 'createFlag', flag: change.definition };
  if (change.action === 'DELETE') return { kind: 'deleteFlag', key: change.key };
  return { kind: 'updateFlag', key: change.key, patch: change.patch, expectedVersion: change.flag.version };
}

/**
 * Checks and writes, and checks again if a flag was changed meanwhile. Without steps nothing is written.
 * @throws ConflictsError if that happened too often.
 */
function writeChecked(
  backend: Backend,
  by: Author,
  check: () => Promise<Prepared>,
): Promise<Omit<Written<unknown>, 'value'>> {
  return checkedWrite(
    check,
    async ({ steps, guard }) => {
      if (steps.length === 0) return { revision: guard.since, batch: null };
      const { revision, batch } = await backend.apply(steps, by, guard).catch(error => {
        throw crossing(error) ?? error;
      });
      return { revision, batch };
    },
    error => error instanceof ConflictsError,
    attempts,
  );
}

/**
 * What must not change between the check and the write, beyond the flags whose versions the steps state: the overrides of flags
 * that lose a variant, and what is deleted. Overrides of other flags may be set meanwhile, as often as their users like.
 */
function guardOf(since: number, patchings: readonly Patching[], deleted: readonly string[] = []): Guard {
  const losing = patchings.filter(patching => removedVariants(patching).size > 0).map(({ flag }) => flag.key);
  return { since, flagKeys: [...losing, ...deleted], userIds: [] };
}

/** The error of a write that was crossed by another one. Null: it was not. */
function crossing(error: unknown): ConflictsError | null {
  const conflict = (flagKey: string | null, what: string): Conflict => ({
    ...aboutNothing,
    flagKey,
    message: `${what} while this change was checked, again and again. Try again.`,
  });
  const changed = (key: string) => conflict(key, `The flag "${shortened(key)}" was changed`);
  if (error instanceof VersionConflictError) return new ConflictsError([changed(error.flag.key)], [error.flag]);
  if (error instanceof FlagExistsError || error instanceof FlagNotFoundError) {
    return new ConflictsError([changed(error.key)], []);
  }
  if (!(error instanceof CrossedError)) return null;
  const [first = conflict(null, 'Flags were changed'), ...rest] = error.flagKeys.map(changed);
  return new ConflictsError([first, ...rest], []);
}

const aboutNothing = { flagKey: null, group: null, userId: null, revision: null };

function versionConflict({
  flag,
  expectedVersion,
}: Patching & { readonly expectedVersion: number | null }): readonly Conflict[] {
  if (expectedVersion === null || expectedVersion === flag.version) return [];
  const message = `The flag "${flag.key}" is at version ${flag.version}, not ${expectedVersion}. Read it again.`;
  return [{ ...aboutNothing, flagKey: flag.key, message }];
}

/** @throws ConflictsError with these conflicts, if there are any. */
function refuseConflicts([first, ...rest]: readonly Conflict[], flags: readonly Flag[]): void {
  if (first !== undefined) throw new ConflictsError([first, ...rest], flags);
}

/**
 * Reads the items of a list, in slices.
 * @throws ValidationError with the faults of all of them.
 */
async function readList<T extends { readonly key: string }>(
  name: string,
  items: readonly unknown[],
  read: (item: unknown) => ReadInput<T>,
): Promise<readonly T[]> {
  const places = new Map<string, number>();
  const issues: Issue[] = [];
  const values: T[] = [];
  await mapInSlices([...items.entries()], ([index, item]) => {
    const result = read(item);
    const path = [name, String(index)];
    if (result.issues !== undefined) {
      issues.push(...below(path, result.issues));
      return;
    }
    const { key } = result.value;
    const first = places.get(key);
    if (first === undefined) places.set(key, index);
    else
      issues.push({
        path: [...path, 'key'],
        message: `The flag "${key}" is at ${name}.${first} already. State it once.`,
      });
    values.push(result.value);
  });
  refuse(issues);
  return values;
}
