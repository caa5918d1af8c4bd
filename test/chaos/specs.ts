import { mintToken } from '../../src/auth/token.js';
import type { Random } from './random.js';
import type { ViewerSpec } from './viewer.js';

/**
 * Viewers as they come: mostly users of their own; some share one, some are anonymous, some bring attributes, some name
 * their flags, most have a device. Half of the users are known by UUIDs, the others by other texts.
 *
 * @param key signs their tokens, which are valid for a day.
 */
export function drawSpecs(random: Random, key: Uint8Array, count: number): Promise<ViewerSpec[]> {
  const users: string[] = [];
  return Promise.all(
    Array.from({ length: count }, async (_, index): Promise<ViewerSpec> => {
      const isAnonymous = random.chance(0.05);
      const shared = users.length > 0 && random.chance(0.1) ? random.pick(users) : null;
      const userId = isAnonymous ? null : (shared ?? `${index % 2 === 0 ? '' : 'idp|'}${random.uuid()}`);
      if (userId !== null) users.push(userId);
      const claims = userId !== null && random.chance(0.1) ? { plan: random.pick(['free', 'pro']) } : null;
      const keys = random.chance(0.1) ? ['flag_0', 'never_there', 'flag_3'] : null;
      const request = {
        role: 'USER',
        userId,
        expiresInSeconds: 86_400,
        ...(claims === null ? {} : { attributes: claims }),
      } as const;
      const token = userId === null ? null : await mintToken(key, request);
      const device = index % 4 === 0 ? null : `device-${index}`;
      const name = `viewer ${index} (${userId ?? 'anonymous'}, ${device ?? 'no device'})`;
      return { name, userId, device, claims, keys, token };
    }),
  );
}
