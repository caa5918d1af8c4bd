import type { HostileOptions } from './run.js';

type Size = Pick<
  HostileOptions,
  'scale' | 'limits' | 'connectionsPerAddress' | 'viewers' | 'lanes' | 'duration' | 'settleTime' | 'isMeasured'
>;

/** The limits that depend on time are short, so that what they end is ended while the run lasts. */
export const full: Size = {
  scale: { isSmall: false, patience: 20_000, silence: 12_000, initTimeout: 2_000 },
  limits: { initTimeout: 2_000, pingInterval: 3_000, stallTimeout: 5_000 },
  connectionsPerAddress: 300,
  viewers: 200,
  lanes: 8,
  duration: 180_000,
  settleTime: 60_000,
  isMeasured: true,
};

export const small: Size = {
  scale: { isSmall: true, patience: 10_000, silence: 4_000, initTimeout: 600 },
  limits: { initTimeout: 600, pingInterval: 800, stallTimeout: 1_000 },
  connectionsPerAddress: 40,
  viewers: 6,
  lanes: 4,
  duration: 0,
  settleTime: 10_000,
};
