import type { Act, Attack, Draws, Outcome } from './attack.js';
import { askHttp, askSse, type Operation } from './http.js';
import { askSocket } from './socket.js';
import type { Stage } from './stage.js';

export type Ask = (stage: Stage, operation: Operation, token?: string) => Promise<Outcome>;

/** Every way in for an operation. */
export const ways: Readonly<Record<string, Ask>> = {
  'over HTTP': askHttp,
  'over SSE': askSse,
  'over WebSocket': askSocket,
};

interface Row extends Omit<Attack, 'draw'> {
  readonly draw: (draws: Draws, ask: Ask) => Act;
}

/** The same attack by every way in. */
export function everyWay(row: Row): readonly Attack[] {
  return Object.entries(ways).map(([way, ask]) => ({
    ...row,
    name: `${row.name} ${way}`,
    weight: row.weight / Object.keys(ways).length,
    draw: (draws: Draws) => row.draw(draws, ask),
  }));
}
