import { useEffect, useState } from 'react';

/** The time in milliseconds since the epoch, new every half minute and at each rendering: what just came is not in the future. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(now, Date.now());
}
