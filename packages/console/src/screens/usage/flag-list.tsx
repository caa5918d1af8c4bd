import { type ReactNode, useDeferredValue, useState } from 'react';
import { useQuery } from 'urql';
import { Bones } from '../../parts/bones.js';
import { Button } from '../../parts/button.js';
import { Empty } from '../../parts/empty.js';
import { Faulty } from '../../parts/faulty.js';
import { count } from '../../words/numbers.js';
import { exact, relative } from '../../words/times.js';
import { lastDays, type UsageChart, type UsagePoint, usageChart } from '../../words/usage.js';
import { UsageOfFlags } from './documents.js';
import css from './usage.module.css';

export interface FlagListProps {
  readonly days: number;
  readonly now: number;
  /** The key of the flag whose chart is shown. */
  readonly chosen: string | null;
  readonly onChoose: (key: string) => void;
}

/** All flags with their numbers. */
export function FlagList(props: FlagListProps): ReactNode {
  const [search, setSearch] = useState('');
  return (
    <section className={css.sec} aria-labelledby="list-title">
      <div className={css.secHead}>
        <h2 id="list-title">Questions by flag</h2>
        <label className={css.search}>
          <span className={css.hidden}>Search flags</span>
          <input
            type="search"
            placeholder="Search by name or key"
            autoComplete="off"
            maxLength={200}
            value={search}
            onChange={event => setSearch(event.target.value)}
          />
        </label>
      </div>
      <Pages search={useDeferredValue(search.trim())} after={null} {...props} />
    </section>
  );
}

function Pages(props: FlagListProps & { readonly search: string; readonly after: string | null }): ReactNode {
  const { search, after, days, now, chosen, onChoose } = props;
  const [isMore, setMore] = useState(false);
  const [{ data, error, fetching }, ask] = useQuery({
    query: UsageOfFlags,
    variables: { search: search === '' ? null : search, after, ...lastDays(days, now) },
  });
  if (data === undefined) {
    if (error !== undefined) return <Faulty error={error} onRetry={() => ask({ requestPolicy: 'network-only' })} />;
    return fetching ? <Bones rows={5} /> : null;
  }
  const { nodes, pageInfo } = data.flags;
  if (nodes.length === 0 && after === null) {
    return search === '' ? (
      <Empty title="There is no flag yet.">Once there are flags, this shows how often each is asked for.</Empty>
    ) : (
      <p className={css.none}>No flag matches.</p>
    );
  }
  return (
    <>
      <ul>
        {nodes.map(({ id, key, name, lastAskedAt, usage }) => {
          const chart = usageChart(usage as readonly UsagePoint[], days, new Date(now));
          return (
            <li key={id}>
              <button type="button" className={css.row} aria-current={key === chosen} onClick={() => onChoose(key)}>
                <span className={css.who}>
                  <span className={css.name} dir="auto">
                    {name}
                  </span>
                  <span className={css.key}>{key}</span>
                </span>
                <Bars chart={chart} />
                <span className={css.number}>
                  {count(chart.total)}
                  <span className={css.hidden}> questions</span>
                </span>
                <span className={css.asked}>
                  {lastAskedAt == null ? (
                    'Never'
                  ) : (
                    <time dateTime={lastAskedAt} title={exact(lastAskedAt)}>
                      {relative(lastAskedAt, now)}
                    </time>
                  )}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      {!pageInfo.hasNextPage || pageInfo.endCursor == null ? null : isMore ? (
        <Pages {...props} after={pageInfo.endCursor} />
      ) : (
        <p className={css.more}>
          <Button onClick={() => setMore(true)}>Show more flags</Button>
        </p>
      )}
    </>
  );
}

/** The days as bars, each scaled to the greatest of its flag. */
function Bars({ chart: { days } }: { readonly chart: UsageChart }): ReactNode {
  const top = Math.max(1, ...days.map(day => day.count));
  return (
    <svg className={css.bars} viewBox={`0 0 ${days.length * 4} 24`} preserveAspectRatio="none" aria-hidden="true">
      {days.map((day, index) => (
        <rect
          key={day.at.getTime()}
          x={index * 4 + 0.5}
          y={24 - (day.count / top) * 24}
          width={3}
          height={(day.count / top) * 24}
        />
      ))}
    </svg>
  );
}
