import { HalyardError } from './error.js';
import type { StreamRequest, Update } from './types.js';

/** What the client asks the server, and how it reads what the server answers. */

export const liveOperation = ({ keys, sinceRevision }: StreamRequest) => ({
  query:
    'subscription($keys:[String!],$since:Int){viewerFeatures(keys:$keys,sinceRevision:$since){revision snapshot removed features{key enabled value variant reason}}}',
  variables: { keys, since: sinceRevision },
});

export const plainOperation = ({ keys }: StreamRequest) => ({
  query: 'query($keys:[String!]){viewer{revision features(keys:$keys){key enabled value variant reason}}}',
  variables: { keys },
});

/** The part of the answer to either operation that is read. */
export interface Result {
  readonly data?: {
    readonly viewerFeatures?: Update;
    readonly viewer?: Pick<Update, 'revision' | 'features'>;
  } | null;
  readonly errors?: readonly ServerError[];
}

interface ServerError {
  readonly message?: string;
  readonly extensions?: { readonly code?: string };
}

/** The update in a result, unchecked. @throws HalyardError for the first of its errors. */
export function updateOf({ data, errors }: Result): Update {
  if (errors) throw errorOf(errors, 'SERVER_ERROR');
  return (data?.viewerFeatures ?? { ...data?.viewer, snapshot: true, removed: [] }) as Update;
}

/** The first of a server's errors; `code` stands where it has none. */
export const errorOf = ([error]: readonly ServerError[] = [], code: string): HalyardError =>
  new HalyardError(error?.extensions?.code ?? code, error?.message ?? `The server answered ${code}.`);

export const badResponse = (why: string, cause?: unknown): HalyardError =>
  new HalyardError('BAD_RESPONSE', `The answer ${why}. Is \`url\` right?`, cause);
