import type { Caller } from '../auth/caller.js';
import type { FeatureService } from '../features/service.js';
import type { PrismaClient } from '../generated/prisma/client.js';
import { createLoaders, type Loaders } from './loaders.js';

/** The objects that every resolver may use. */
export interface Context {
  readonly caller: Caller;
  /** The device that the caller states. It proves nothing. Null: none. */
  readonly device: string | null;
  /** Whether callers without a token may ask for their own features. */
  readonly allowAnonymous: boolean;
  readonly service: FeatureService;
  /** For the reads of admins. Evaluations never use it. */
  readonly prisma: PrismaClient;
  readonly loaders: Loaders;
}

/** Makes the context of each operation from its caller. */
export function createContextFactory(
  shared: Pick<Context, 'allowAnonymous' | 'service' | 'prisma'>,
): (caller: Caller, from: Pick<Context, 'device'>) => Context {
  // The loaders batch reads and cache nothing, so operations can share them: a subscription of days reads no old row.
  const loaders = createLoaders(shared.prisma);
  return (caller, { device }) => ({ ...shared, caller, device, loaders });
}
