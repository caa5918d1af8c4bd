import type { Caller } from '../auth/caller.js';
import type { FeatureService } from '../features/service.js';
import type { PrismaClient } from '../generated/prisma/client.js';
import { createLoaders, type Loaders } from './loaders.js';

/** What every resolver may use. */
export interface Context {
  readonly caller: Caller;
  /** Whether callers without a token may ask for their own features. */
  readonly allowAnonymous: boolean;
  readonly service: FeatureService;
  /** For what admins read. Evaluations never touch it. */
  readonly prisma: PrismaClient;
  readonly loaders: Loaders;
}

/** Makes the context of each operation from who sent it. */
export function createContextFactory(
  shared: Pick<Context, 'allowAnonymous' | 'service' | 'prisma'>,
): (caller: Caller) => Context {
  // The loaders batch and keep nothing, so operations can share them: a subscription that lives for days sees no old row.
  const loaders = createLoaders(shared.prisma);
  return caller => ({ ...shared, caller, loaders });
}
