import { type RefObject, useEffect, useState } from 'react';

/** Rows before and after those in view that count as in view, so that their numbers are there when they come. */
const margin = 15;
/** So that scrolling does not ask at each row. */
const step = 10;

/** The rows that the reader sees now, roughly: only their viewers are counted. */
export function useRowsInView(
  table: RefObject<HTMLElement | null>,
  rows: number,
): { readonly from: number; readonly to: number } {
  const [range, setRange] = useState({ from: 0, to: 40 });
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      const box = table.current?.getBoundingClientRect();
      if (box === undefined || rows === 0) return;
      const height = box.height / (rows + 1);
      const first = Math.floor(-box.top / height);
      const from = Math.max(0, step * Math.floor((first - margin) / step));
      const to = step * Math.ceil((first + innerHeight / height + margin) / step);
      setRange(before => (before.from === from && before.to === to ? before : { from, to }));
    };
    const later = () => {
      if (frame === 0) frame = requestAnimationFrame(look);
    };
    look();
    addEventListener('scroll', later, { passive: true });
    addEventListener('resize', later);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', later);
      removeEventListener('resize', later);
    };
  }, [table, rows]);
  return range;
}
