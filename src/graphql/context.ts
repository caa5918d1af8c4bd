import { RequestCache } from '@pothos/plugin-scope-auth';
import { type Caller, isCounted } from '../auth/caller.js';
import type { Author } from '../backends/backend.js';
import type { Management } from '../features/management.js';
import type { FeatureService } from '../features/service.js';
import type { Questions } from '../features/usage-counter.js';
import type { PrismaClient } from '../generated/prisma/client.js';
import { createLoaders, type Loaders } from './loaders.js';

/** What a server says of itself. */
export interface ServerDescription {
  readonly version: string;
  /** What its operator calls it, and the colour that tells it from others. Null: nothing is said. */
  readonly environment: { readonly name: string; readonly colour: string | null } | null;
  readonly isProtected: boolean;
}

/** The objects that every resolver may use. */
export interface Context {
  readonly caller: Caller;
  /** The device that the caller states. It proves nothing. Null: none. */
  readonly device: string | null;
  /** Whether callers without a token may ask for their own features. */
  readonly allowAnonymous: boolean;
  /** Without its ways to change: a change that does not pass `changes` would need no confirmation. */
  readonly service: Omit<FeatureService, 'management' | 'changesOf'>;
  /**
   * The changes that this caller may make. Those that alter the answers of a flag may need a confirmation.
   * @param confirm the confirmation in the input of the mutation.
   */
  readonly changes: (confirm?: string | null) => Management;
  /** For the reads of admins. Evaluations never use it. */
  readonly prisma: PrismaClient;
  readonly loaders: Loaders;
  readonly server: ServerDescription;
  /** Counts the flags that this operation names. Those of anonymous callers and readers do not count. */
  readonly questions: Questions;
}

/** Makes the context of each operation from its caller. */
export function createContextFactory(shared: {
  readonly allowAnonymous: boolean;
  readonly service: FeatureService;
  readonly prisma: PrismaClient;
  readonly server: ServerDescription;
}): (caller: Caller, from: Pick<Context, 'device'>) => Context {
  const { allowAnonymous, service, prisma, server } = shared;
  // The loaders batch reads and cache nothing, so operations can share them: a subscription of days reads no old row.
  const loaders = createLoaders(shared.prisma, service.usage, service.receipts);
  // Written out: a literal that begins with a spread takes Node 20 about a microsecond for each member after it.
  return (caller, { device }) => ({
    allowAnonymous,
    service,
    prisma,
    server,
    caller,
    device,
    loaders,
    questions: service.usage.questionsOf(isCounted(caller)),
    changes: (confirm = null) => service.changesOf({ caller: callerName(caller), confirm }),
  });
}

/**
 * Lets go of what the schema keeps for a context, when its operation is over. The context is its weak key, but it refers to the
 * context: until the whole heap is collected, V8 would keep both, with the request and its answer. See "Profile" in bench/README.md.
 */
export const releaseContext = (context: object): void => RequestCache.clearForContext(context);

/** Names a caller for confirmations: another role, another user or another API key is another caller. */
export function callerName({ role, userId, apiKey }: Caller): string {
  return JSON.stringify(apiKey === undefined ? [role, userId] : [role, userId, apiKey.id]);
}

/** The author of the changes of a caller. */
export function authorOf({ userId, apiKey }: Caller): Pick<Author, 'actor' | 'apiKeyId'> {
  return { actor: userId, apiKeyId: apiKey?.id ?? null };
}
