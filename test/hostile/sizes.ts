import type { HostileOptions } from './run.js';

type Size = Pick<
  HostileOptions,
  'scale' | 'limits' | 'connectionsPerAddress' | 'viewers' | 'lanes' | 'duration' | 'settleTime' | 'isMeasured'
>;

/** The limits that depend on time are short, so that what they end is ended while the run lasts. */
export const full: Size = {
  scale: { isSmall: false, patience: 40_000, silence: 15_000, initTimeout: 5_000 },
  limits: { initTimeout: 5_000, pingInterval: 3_000, stallTimeout: 3_000, answerTimeout: 3_000 },
  connectionsPerAddress: 300,
  viewers: 200,
  lanes: 8,
  duration: 180_000,
  settleTime: 60_000,
  isMeasured: true,
};

/** What is waited for comes much sooner, except on a machine that is busy with other things. */
export const small: Size = {
  scale: { isSmall: true, patience: 30_000, silence: 4_000, initTimeout: 5_000 },
  limits: { initTimeout: 5_000, pingInterval: 1_500, stallTimeout: 1_000, answerTimeout: 1_000 },
  connectionsPerAddress: 40,
  viewers: 6,
  lanes: 6,
  duration: 0,
  settleTime: 20_000,
};
