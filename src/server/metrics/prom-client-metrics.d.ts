/** The parts that `collectDefaultMetrics` is made of. Those that start something, which nothing would stop, are left out. */
declare module 'prom-client/lib/metrics/*.js' {
  import type { Registry } from 'prom-client';

  const register: (registry: Registry) => void;
  export = register;
}
