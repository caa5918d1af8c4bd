import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { LogEntryFragment } from '../../data/generated/graphql.js';
import { flagPath, groupPath, userPath } from '../../parts/paths.js';
import css from './history.module.css';

/** What a change is about, with the place where it is shown. */
export function About({ change }: { readonly change: LogEntryFragment }): ReactNode {
  const { kind, flagKey, group, userIds, userCount } = change;
  const [user] = userIds;
  if (flagKey != null) return named('Flag', flagPath(flagKey), flagKey);
  if (group != null) return named('Group', groupPath(group), group);
  if (kind.startsWith('API_KEY_')) return named('', '/keys', 'API keys');
  if (userCount === 1 && user !== undefined) return named('User', userPath(user), user);
  return 'Database';
}

const named = (word: string, href: string, name: string) => (
  <>
    {word}{' '}
    <Link className={css.about} href={href}>
      {name}
    </Link>
  </>
);
