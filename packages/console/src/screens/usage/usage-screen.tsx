import { type ReactNode, useEffect } from 'react';
import { useQuery } from 'urql';
import { Link, useSearchParams } from 'wouter';
import { Bones } from '../../parts/bones.js';
import { Button } from '../../parts/button.js';
import { Faulty } from '../../parts/faulty.js';
import { PageHead } from '../../parts/page-head.js';
import { flagPath } from '../../parts/paths.js';
import { UsageChart } from '../../parts/usage-chart.js';
import { useNow } from '../../parts/use-now.js';
import { plural } from '../../words/numbers.js';
import { exact, relative } from '../../words/times.js';
import { lastDays, type UsagePoint, usageChart } from '../../words/usage.js';
import { UsageOfFlag } from './documents.js';
import { FlagList } from './flag-list.js';
import { StaleFlags } from './stale-flags.js';
import css from './usage.module.css';

const lengths = [7, 30, 90] as const;
const usual = 30;
/** Milliseconds between two looks at the numbers. The server writes them every ten seconds. */
const interval = 30_000;

/** How often flags are asked for, and which are no longer needed. */
export function UsageScreen(): ReactNode {
  const [params, setParams] = useSearchParams();
  const now = useNow();
  const flag = params.get('flag');
  const days = lengths.find(length => String(length) === params.get('days')) ?? usual;
  const change = (name: string, value: string | null) =>
    setParams(known => {
      const changed = new URLSearchParams(known);
      if (value === null) changed.delete(name);
      else changed.set(name, value);
      return changed;
    });
  return (
    <>
      <PageHead title="Usage">
        <fieldset className={css.lengths} aria-label="Time">
          {lengths.map(length => (
            <Button
              key={length}
              small
              pressed={length === days}
              onClick={() => change('days', length === usual ? null : String(length))}
            >
              {`${length} days`}
            </Button>
          ))}
        </fieldset>
      </PageHead>
      <p className={css.lead}>
        Questions that name a flag are counted by day, in UTC, and by reason, and never by user. Answers with all flags
        at once count for none of them.
      </p>
      {flag === null ? null : <Chosen flagKey={flag} days={days} now={now} onClose={() => change('flag', null)} />}
      <StaleFlags now={now} />
      <FlagList days={days} now={now} chosen={flag} onChoose={key => change('flag', key)} />
    </>
  );
}

interface ChosenProps {
  readonly flagKey: string;
  readonly days: number;
  readonly now: number;
  readonly onClose: () => void;
}

/** The chart of one flag. */
function Chosen({ flagKey, days, now, onClose }: ChosenProps): ReactNode {
  const [{ data, error }, ask] = useQuery({
    query: UsageOfFlag,
    variables: { key: flagKey, ...lastDays(days, now) },
  });
  useEffect(() => {
    const timer = setInterval(() => ask({ requestPolicy: 'network-only' }), interval);
    return () => clearInterval(timer);
  }, [ask]);
  const flag = data?.flag;
  const chart = flag == null ? null : usageChart(flag.usage as readonly UsagePoint[], days, new Date(now));
  return (
    <section className={css.card} aria-label={`Usage of ${flagKey}`}>
      <div className={css.secHead}>
        <h2>
          {flag == null ? (
            flagKey
          ) : (
            <Link className={css.name} href={flagPath(flagKey)}>
              {flag.name}
            </Link>
          )}
        </h2>
        {chart === null ? null : <span className={css.aside}>{plural(chart.total, 'question')}</span>}
        {flag?.lastAskedAt == null ? null : (
          <time className={css.aside} dateTime={flag.lastAskedAt} title={exact(flag.lastAskedAt)}>
            last asked {relative(flag.lastAskedAt, now)}
          </time>
        )}
        <span className={css.end}>
          <Button kind="plain" small icon="close" label="Close the chart" onClick={onClose} />
        </span>
      </div>
      {chart !== null ? (
        chart.total === 0 ? (
          <p className={css.none}>{`Nobody has asked for this flag by its key in ${plural(days, 'day')}.`}</p>
        ) : (
          <UsageChart chart={chart} />
        )
      ) : error !== undefined ? (
        <Faulty error={error} onRetry={() => ask({ requestPolicy: 'network-only' })} />
      ) : data === undefined ? (
        <Bones rows={3} />
      ) : (
        <p className={css.none}>No flag has this key.</p>
      )}
    </section>
  );
}
