import type { ReactNode } from 'react';
import { count, plural } from '../words/numbers.js';
import { type UsageChart as Chart, dayInWords, type UsageDay } from '../words/usage.js';
import css from './usage-chart.module.css';

/** Units of the drawing: each day is ten wide, and the scale is a hundred high. */
const dayWidth = 10;
const height = 100;

/** The questions of each day as a bar, in parts by reason. */
export function UsageChart({ chart }: { readonly chart: Chart }): ReactNode {
  const { days, series, top, total } = chart;
  const [first, last] = [days[0], days.at(-1)];
  const greatest = days.reduce<UsageDay | null>((most, day) => (day.count > (most?.count ?? 0) ? day : most), null);
  const summary = `${plural(total, 'question')} in ${plural(days.length, 'day')}`;
  const most = greatest === null ? '' : `, most on ${dayInWords(greatest.at)}: ${count(greatest.count)}`;
  return (
    <figure className={css.figure}>
      <div className={css.plot}>
        <span className={css.top}>{count(top)}</span>
        <svg
          viewBox={`0 0 ${days.length * dayWidth} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${summary}${most}.`}
        >
          {days.map((day, index) => (
            <Bar
              key={day.at.getTime()}
              day={day}
              x={index * dayWidth}
              top={top}
              names={series.map(({ name }) => name)}
            />
          ))}
        </svg>
        <span className={css.dates} aria-hidden="true">
          <span>{first === undefined ? '' : dayInWords(first.at)}</span>
          <span>{last === undefined ? '' : 'today'}</span>
        </span>
      </div>
      <figcaption>
        <ul className={css.legend}>
          {series.map(({ name, count: number }, index) => (
            <li key={name}>
              <span className={css.swatch} data-step={index} />
              {name} <b>{count(number)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
    </figure>
  );
}

interface BarProps {
  readonly day: UsageDay;
  readonly x: number;
  readonly top: number;
  readonly names: readonly string[];
}

function Bar({ day, x, top, names }: BarProps): ReactNode {
  const told = names.flatMap((name, index) => (day.parts[index] ? [`${name} ${count(day.parts[index])}`] : []));
  let y = height;
  return (
    <g>
      <title>{`${dayInWords(day.at)}: ${plural(day.count, 'question')}${told.length === 0 ? '' : `. ${told.join(', ')}`}`}</title>
      {/* The whole column answers to the pointer, also on a day without questions. */}
      <rect className={css.column} x={x} y={0} width={dayWidth} height={height} />
      {day.parts.map((part, index) => {
        const size = (part / top) * height;
        y -= size;
        return (
          <rect
            key={names[index]}
            className={css.part}
            data-step={index}
            x={x + 1.5}
            y={y}
            width={dayWidth - 3}
            height={size}
          />
        );
      })}
    </g>
  );
}
