import type { JsonObject } from '../../src/core/json.js';
import type { Random } from '../chaos/random.js';
import type { Stage } from './stage.js';

/** How much of everything there is, and how long it may take. All times in milliseconds. */
export interface Scale {
  /** The least of every range is drawn. */
  readonly isSmall: boolean;
  /** Within this time an answer must have come. */
  readonly patience: number;
  /** A client that does not read stays for so long, if it is not cut before. */
  readonly silence: number;
  /** What the server gives a new socket to introduce itself. */
  readonly initTimeout: number;
}

/** What an attack is drawn from. */
export interface Draws {
  readonly random: Random;
  readonly scale: Scale;
  /** A whole number in this range, both included; the least in a small run. */
  between(least: number, most: number): number;
}

/**
 * What came of an attack, in a few words of which the first ones matter:
 * - `answered`, `partly answered: CODE`: a result, without and with errors;
 * - `refused once: CODE`, `refused 3 times: CODE`, `refused with status 404`: errors and no result;
 * - `closed 4400`: the WebSocket was closed with this code; `cut`: the connection ended without a word;
 * - `left`: the client left first, so that only what stays behind can be wrong;
 * - `held up`: the server stopped reading; `silent`: nothing came in time;
 * - `held`: what is kept for the client is in bounds, however much it sent;
 * - `wrong: ...`: never right.
 */
export type Outcome = string;

/** One attack with everything about it decided. */
export interface Act {
  /** What was drawn, as a report shows it. */
  readonly parameters: JsonObject;
  /** Whatever it opens on the stage is closed when it is over. */
  readonly run: (stage: Stage) => Promise<Outcome>;
}

export interface Attack {
  readonly name: string;
  readonly weight: number;
  /** The outcomes that are right, each by its first words. */
  readonly expected: readonly Outcome[];
  /** It measures what the server holds, so that nothing else hostile may be under way. */
  readonly isAlone?: boolean;
  /** Everything random is drawn here, before anything waits, so that a seed means the same attacks on any machine. */
  readonly draw: (draws: Draws) => Act;
}

export function drawsOf(random: Random, scale: Scale): Draws {
  return {
    random,
    scale,
    between(least, most) {
      const drawn = random.integer(least, most);
      return scale.isSmall ? least : drawn;
    },
  };
}

export function isExpected({ expected }: Attack, outcome: Outcome): boolean {
  return expected.some(
    right => outcome === right || (outcome.startsWith(right) && /^\W/.test(outcome.slice(right.length))),
  );
}

/** What was drawn to do, with nothing else to report about it. */
export const act = (parameters: JsonObject, run: Act['run']): Act => ({ parameters, run });
