import { createHash, randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { Author, Backend, Override, User, Written } from '../backends/backend.js';
import { type ApiKey, ApiKeyNotFoundError, apiKeyPrefix, apiKeySecret } from '../core/api-key.js';
import { FlagNotFoundError, refuse, UnavailableError, ValidationError, VersionConflictError } from '../core/errors.js';
import type { Flag } from '../core/flag.js';
import {
  type ApplyDefinitionsInput,
  type CreateApiKeyInput,
  type CreateFlagInput,
  type DeleteFlagInput,
  type DeleteUserInput,
  type FlagPatch,
  type GroupInput,
  inputs,
  parseInput,
  type RemoveOverrideInput,
  type RevertFlagInput,
  type RevokeApiKeyInput,
  type SetOverrideInput,
  type SetUserAttributesInput,
  type UndoBatchInput,
  type UpdateFlagInput,
  type UpdateFlagsInput,
} from '../core/inputs.js';
import { overrideVariantIssues } from '../core/variants.js';
import { type ApplicationOfDefinitions, applyDefinitions, updateFlags } from './bulk.js';
import { checkedWrite, isRelated, patchingIssues, refuseOverridden, withoutUndefined } from './checked-patch.js';
import type { Replica } from './replica.js';
import { revertFlag, undoBatch } from './restore.js';

/** A flag as it is, and as it would be after an update. */
export interface PlannedUpdate {
  readonly patch: FlagPatch;
  readonly before: Flag;
  readonly after: Flag;
}

/**
 * The changes that people and programs make. Each method checks its whole input first and names its faults
 * (`ValidationError`). It then writes, and resolves when this process has applied the change, so that later reads in this
 * process include it. `author` is the user who makes the change, for the change log, and the batch that the change belongs to; the
 * input may have a note.
 *
 * Every call rejects with `UnavailableError` when the store cannot be reached in time.
 */
export class Management {
  readonly #backend: Backend;
  readonly #replica: Replica;
  readonly #now: () => number;
  readonly #exempt: (by: Author) => Author;

  /** @param options.exempt makes an author whose writes need no confirmation; see `Confirmations`. */
  constructor(options: {
    readonly backend: Backend;
    readonly replica: Replica;
    readonly now: () => number;
    readonly exempt?: (by: Author) => Author;
  }) {
    this.#backend = options.backend;
    this.#replica = options.replica;
    this.#now = options.now;
    this.#exempt = options.exempt ?? (by => by);
  }

  /** @throws FlagExistsError */
  createFlag(input: CreateFlagInput, author: Unnoted | null = null): Promise<Written<Flag>> {
    return this.#write(inputs.createFlag, input, author, (flag, by) => this.#backend.createFlag(flag, by));
  }

  /**
   * Changes the given fields. Changes nothing if the flag is not at `expectedVersion`.
   * @throws FlagNotFoundError
   * @throws VersionConflictError
   */
  updateFlag(input: UpdateFlagInput, author: Unnoted | null = null): Promise<Written<Flag>> {
    return this.#write(inputs.updateFlag, input, author, async ({ key, expectedVersion = null, ...given }, by) => {
      const patch = withoutUndefined(given);
      if (!isRelated(patch)) return this.#backend.updateFlag(key, patch, expectedVersion, by);
      return checkedWrite(
        () => this.#patched(key, patch, expectedVersion),
        ({ version }) => this.#backend.updateFlag(key, patch, version, by),
        error => error instanceof VersionConflictError && expectedVersion === null,
      );
    });
  }

  /**
   * The flag as it is, and as it would be after an update. The update is checked as {@link updateFlag} checks it, and not made.
   * @throws FlagNotFoundError
   * @throws VersionConflictError
   */
  async planUpdate(input: UpdateFlagInput): Promise<PlannedUpdate> {
    const { key, expectedVersion = null, note: _note, ...given } = parseInput(inputs.updateFlag, input);
    const patch = withoutUndefined(given);
    const before = await this.#patched(key, patch, expectedVersion);
    return { patch, before, after: { ...before, ...patch } };
  }

  /**
   * Changes several flags, all of them or none, as one batch. Returns them as they are now, in the order of the input.
   * @throws FlagNotFoundError with the path to the first key that no flag has.
   * @throws ConflictsError with every flag that is not at its expected version.
   */
  updateFlags(input: UpdateFlagsInput, author: Unnoted | null = null): Promise<Written<readonly Flag[]>> {
    return this.#write(inputs.updateFlags, input, author, (fields, by) => updateFlags(this.#backend, fields, by));
  }

  /**
   * Makes the stored flags equal definitions, all of them or none, as one batch. A dry run changes nothing and returns the plan.
   * @throws ConflictsError with every flag of the plan that was changed after `expectedRevision`.
   */
  applyDefinitions(
    input: ApplyDefinitionsInput,
    author: Unnoted | null = null,
  ): Promise<Written<ApplicationOfDefinitions>> {
    return this.#write(inputs.applyDefinitions, input, author, (fields, by) =>
      applyDefinitions(this.#backend, fields, by),
    );
  }

  /** Deletes a flag with its overrides. False if there was no such flag. */
  deleteFlag(input: DeleteFlagInput, author: Unnoted | null = null): Promise<Written<boolean>> {
    return this.#write(inputs.deleteFlag, input, author, ({ key }, by) => this.#backend.deleteFlag(key, by));
  }

  /**
   * Sets the answer of one flag for one user until `expiresAt`, independent of the flag's definition.
   * @throws FlagNotFoundError
   */
  setOverride(input: SetOverrideInput, author: Unnoted | null = null): Promise<Written<Override>> {
    return this.#write(inputs.setOverride, input, author, async (override, by) => {
      if (override.expiresAt !== null && override.expiresAt.getTime() <= this.#now()) {
        throw new ValidationError([{ path: ['expiresAt'], message: 'Expected a time in the future.' }]);
      }
      if (override.variant !== null) {
        refuse(overrideVariantIssues(override, await this.#backend.getFlag(override.flagKey)));
      }
      return this.#backend.setOverride(override, by);
    });
  }

  /** False if there was no such override. */
  removeOverride(input: RemoveOverrideInput, author: Unnoted | null = null): Promise<Written<boolean>> {
    return this.#write(inputs.removeOverride, input, author, ({ userId, flagKey }, by) =>
      this.#backend.removeOverride(userId, flagKey, by),
    );
  }

  /** Returns the number of users that were not members before. */
  addToGroup(input: GroupInput, author: Unnoted | null = null): Promise<Written<number>> {
    return this.#write(inputs.group, input, author, ({ group, userIds }, by) =>
      this.#backend.addToGroup(group, userIds, by),
    );
  }

  /** Returns the number of users that were members. */
  removeFromGroup(input: GroupInput, author: Unnoted | null = null): Promise<Written<number>> {
    return this.#write(inputs.group, input, author, ({ group, userIds }, by) =>
      this.#backend.removeFromGroup(group, userIds, by),
    );
  }

  /** Replaces a user's stored attributes; creates the user. */
  setUserAttributes(input: SetUserAttributesInput, author: Unnoted | null = null): Promise<Written<User>> {
    return this.#write(inputs.setUserAttributes, input, author, ({ userId, attributes }, by) =>
      this.#backend.setUserAttributes(userId, attributes, by),
    );
  }

  /** Deletes a user with memberships and overrides. False if there was no such user. */
  deleteUser(input: DeleteUserInput, author: Unnoted | null = null): Promise<Written<boolean>> {
    return this.#write(inputs.deleteUser, input, author, ({ userId }, by) => this.#backend.deleteUser(userId, by));
  }

  /**
   * Makes an API key. Its secret is in the result and nowhere else.
   * @throws ApiKeyExistsError, TooManyApiKeysError
   */
  async createApiKey(input: CreateApiKeyInput, author: Unnoted | null = null): Promise<Written<MadeApiKey>> {
    let made: Written<MadeApiKey> | undefined;
    const making = this.#write(inputs.createApiKey, input, author, async ({ name, role, expiresAt }, by) => {
      if (expiresAt !== null && expiresAt.getTime() <= this.#now()) {
        throw new ValidationError([{ path: ['expiresAt'], message: 'Expected a time in the future.' }]);
      }
      const secret = apiKeySecret(randomBytes(32));
      // A fast hash: a secret of 256 random bits cannot be guessed, however fast the guesses are compared.
      const hash = createHash('sha256').update(secret).digest();
      const written = await this.#backend.createApiKey(
        { name, role, expiresAt, hash, prefix: apiKeyPrefix(secret) },
        by,
      );
      made = { ...written, value: { apiKey: written.value, secret } };
      return made;
    });
    return making.catch((error: unknown) => {
      // The key is stored, and nobody else has its secret.
      if (made === undefined || !(error instanceof UnavailableError)) throw error;
      return made;
    });
  }

  /**
   * Revokes an API key. One that is revoked stays as it is.
   * @throws ApiKeyNotFoundError
   */
  revokeApiKey(input: RevokeApiKeyInput, author: Unnoted | null = null): Promise<Written<ApiKey>> {
    return this.#write(inputs.revokeApiKey, input, author, async ({ id }, by) => {
      const { value, ...written } = await this.#backend.revokeApiKey(id, by);
      if (value === null) throw new ApiKeyNotFoundError();
      return { ...written, value };
    });
  }

  /**
   * Brings the flag's own fields back to what they were right after a revision. A deleted flag comes back with the overrides that
   * were deleted with it, without those of users who were deleted since.
   * @throws FlagNotFoundError if the log knows no such flag, or somebody has deleted it again meanwhile.
   * @throws RevisionNotFoundError if the log does not know what was before.
   * @throws VersionConflictError
   */
  revertFlag(input: RevertFlagInput, author: Unnoted | null = null): Promise<Written<Flag>> {
    return this.#write(inputs.revertFlag, input, author, (given, by) => revertFlag(this.#backend, given, by));
  }

  /**
   * Takes back all that a batch changed, or nothing. What belonged to users who were deleted since stays erased. Returns the flags
   * that the batch is about, also by their overrides. Within ten minutes it needs no confirmation.
   * @throws RevisionNotFoundError if the log does not have all of the batch.
   * @throws ConflictsError if another batch has changed something of it since.
   */
  undoBatch(input: UndoBatchInput, author: Unnoted | null = null): Promise<Written<readonly Flag[]>> {
    return this.#write(inputs.undoBatch, input, author, ({ batch }, by) =>
      undoBatch(this.#backend, batch, { by, now: this.#now(), exempt: this.#exempt }),
    );
  }

  /**
   * Checks the flag as it would be after a patch.
   * @returns the flag as it is: the check holds for its version.
   */
  async #patched(key: string, patch: FlagPatch, expectedVersion: number | null): Promise<Flag> {
    const flag = await this.#backend.getFlag(key);
    if (flag === null) throw new FlagNotFoundError(key);
    if (expectedVersion !== null && expectedVersion !== flag.version)
      throw new VersionConflictError(flag, expectedVersion);
    if (!isRelated(patch)) return flag;
    const patching = { flag, patch, path: [] };
    refuse(patchingIssues(patching));
    await refuseOverridden(this.#backend, [patching]);
    return flag;
  }

  async #write<Fields extends { readonly note: string | null }, T>(
    schema: z.ZodType<Fields>,
    input: unknown,
    author: Unnoted | null,
    write: (fields: Omit<Fields, 'note'>, by: Author) => Promise<Written<T>>,
  ): Promise<Written<T>> {
    const { note, ...fields } = parseInput(schema, input);
    const written = await write(fields, { actor: null, ...author, note });
    await this.#reach(written.revision).catch(error => {
      if (!(error instanceof UnavailableError)) throw error;
      throw new UnavailableError('The change was made, but this node cannot read it back now.', { cause: error });
    });
    return written;
  }

  async #reach(revision: number): Promise<void> {
    await this.#replica.reach(revision);
    if (this.#replica.snapshot.revision >= revision) return;
    throw new UnavailableError(`The change log has not reached revision ${revision} yet.`);
  }
}

/** A new API key with its secret. */
export interface MadeApiKey {
  readonly apiKey: ApiKey;
  readonly secret: string;
}

/** The author of a change whose input has the note. */
type Unnoted = Omit<Author, 'note'>;
