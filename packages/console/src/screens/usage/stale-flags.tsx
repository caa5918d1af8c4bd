import { type ReactNode, useEffect, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import type { StaleFlagsQuery, StalenessKind } from '../../data/generated/graphql.js';
import { Bones } from '../../parts/bones.js';
import { Faulty } from '../../parts/faulty.js';
import { flagPath } from '../../parts/paths.js';
import { count, plural } from '../../words/numbers.js';
import { exact, relative } from '../../words/times.js';
import { StaleFlags as StaleFlagsDocument } from './documents.js';
import css from './usage.module.css';

type StaleFlag = StaleFlagsQuery['flags']['nodes'][number];

const kindWords: Readonly<Record<StalenessKind, string>> = {
  FULLY_ON: 'On for all',
  FULLY_OFF: 'Off for all',
  UNUSED: 'Not asked for',
  EXPIRED: 'Overdue',
};

/** The flags that are no longer needed, and what to do about each. The list is read page by page, to its end. */
export function StaleFlags({ now }: { readonly now: number }): ReactNode {
  const [pages, setPages] = useState<readonly (string | null)[]>([null]);
  const [found, setFound] = useState<ReadonlyMap<number, Looked>>(new Map());
  const looked = [...found.values()];
  const flags = looked.flatMap(page => page.flags);
  const total = looked.at(-1)?.total ?? 0;
  const seen = looked.reduce((sum, page) => sum + page.seen, 0);
  return (
    <section className={css.sec} aria-labelledby="stale-title">
      <div className={css.secHead}>
        <h2 id="stale-title">No longer needed</h2>
        <span className={css.aside}>
          {seen < total
            ? `Looked at ${count(seen)} of ${plural(total, 'flag')}`
            : `${count(flags.length)} of ${plural(total, 'flag')}`}
        </span>
      </div>
      {pages.map((after, index) => (
        <Page
          key={after}
          after={after}
          onPage={page => setFound(known => new Map(known).set(index, page))}
          onNext={cursor => setPages(known => [...known.slice(0, index + 1), cursor])}
        />
      ))}
      {looked.length === 0 ? <Bones rows={2} /> : null}
      {looked.length > 0 && flags.length === 0 && seen >= total ? (
        <p className={css.none}>
          Every flag is still in use. A flag that is on or off for all, or that nobody asks for, is listed here after a
          while.
        </p>
      ) : null}
      <ul>
        {flags.map(({ id, key, name, staleness }) => (
          <li key={id} className={css.stale}>
            <div>
              <Link className={css.name} href={flagPath(key)}>
                {name}
              </Link>
              <span className={css.key}>{key}</span>
            </div>
            <ul>
              {staleness.map(({ kind, since, text }) => (
                <li key={kind}>
                  <span className={css.badge}>{kindWords[kind]}</span>
                  <p>{text}</p>
                  <time dateTime={since} title={exact(since)}>
                    since {relative(since, now)}
                  </time>
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface Looked {
  readonly flags: readonly StaleFlag[];
  readonly seen: number;
  readonly total: number;
}

interface PageProps {
  readonly after: string | null;
  readonly onPage: (page: Looked) => void;
  readonly onNext: (cursor: string) => void;
}

function Page({ after, onPage, onNext }: PageProps): ReactNode {
  const [{ data, error }, ask] = useQuery({ query: StaleFlagsDocument, variables: { after } });
  // biome-ignore lint/correctness/useExhaustiveDependencies: told once for each answer
  useEffect(() => {
    if (data === undefined) return;
    const { nodes, pageInfo, totalCount } = data.flags;
    onPage({ flags: nodes.filter(({ staleness }) => staleness.length > 0), seen: nodes.length, total: totalCount });
    if (pageInfo.hasNextPage && pageInfo.endCursor != null) onNext(pageInfo.endCursor);
  }, [data]);
  if (data === undefined && error !== undefined) {
    return <Faulty error={error} onRetry={() => ask({ requestPolicy: 'network-only' })} />;
  }
  return null;
}
