import type { ChangePage } from '../../src/backends/backend.js';
import { type DatabaseBackend, openDatabase } from '../../src/backends/database.js';
import type { Log } from '../../src/core/log.js';

/**
 * What a node can be made to do wrong, one at a time:
 * - `invalidation`: it does not learn which users a change touches;
 * - `poll`: it reads the log at hints alone;
 * - `identity`: it takes revisions that follow its own for those of its own history;
 * - `catchup`: once its listening connection has come back it goes on from there, without what came in between.
 */
export const sabotages = ['invalidation', 'poll', 'identity', 'catchup'] as const;

export type Sabotage = (typeof sabotages)[number];

/** What `poll` sets between two reads: the longest delay that a timer takes, in milliseconds. */
export const never = 2 ** 31 - 1;

const lossMessage = 'The connection that listens for changes broke. Connecting again.';

/** The product's own backend with one of its promises broken. */
export async function openSabotaged(url: string, sabotage: Sabotage, log: Log): Promise<DatabaseBackend> {
  let isCutOff = false;
  let isBack = false;
  const spy: Log = {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    error: (fields, message) => log.error(fields, message),
    warn: (fields, message) => {
      if (message === lossMessage) isCutOff = true;
      log.warn(fields, message);
    },
  };
  const database = await openDatabase({ url, log: spy });

  const broken: Partial<DatabaseBackend> = {};
  if (sabotage === 'invalidation') {
    broken.changes = async (after, limit) =>
      replaced(await database.changes(after, limit), change => ({ ...change, userId: null, userIds: [] }));
  }
  if (sabotage === 'identity') {
    let known: string | null = null;
    broken.definitions = async () => {
      const definitions = await database.definitions();
      known = definitions.nonce;
      return definitions;
    };
    broken.changes = async (after, limit) => {
      const page = await database.changes(after, limit);
      const nonce = known;
      known = page.changes.at(-1)?.nonce ?? known;
      return { ...page, nonce };
    };
  }
  if (sabotage === 'catchup') {
    broken.onHint = listener =>
      database.onHint(() => {
        isBack = isCutOff;
        listener();
      });
    broken.changes = async (after, limit) => {
      const page = await database.changes(after, limit);
      if (!isCutOff) return page;
      if (isBack) isCutOff = false;
      return replaced(page, change => ({ ...change, kind: 'OVERRIDE_SET', flagKey: null, userId: null, userIds: [] }));
    };
  }
  return new Proxy(database, {
    get(target, property) {
      const member: unknown = Reflect.get(broken, property) ?? Reflect.get(target, property);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

function replaced(page: ChangePage, replace: (change: ChangePage['changes'][number]) => ChangePage['changes'][number]) {
  return { ...page, changes: page.changes.map(replace) };
}
