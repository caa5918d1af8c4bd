import { inGroups } from './groups.js';
import { eventStream, firstEvent, rawPost, subscription } from './raw-http.js';
import type { Stage } from './stage.js';
import { Wire } from './wire.js';

/** How many streams are opened at a time. */
const atOnce = 20;

/** How many of so many streams the address of this stage cannot open. They are left open on the stage. */
export async function refusedPlaces(stage: Stage, places: number): Promise<number> {
  const outcomes = await inGroups(Array.from({ length: places }), atOnce, async () => {
    const wire = await Wire.open(stage);
    wire.write(rawPost({ headers: eventStream, body: subscription }));
    return firstEvent(wire, stage);
  });
  return outcomes.filter(outcome => outcome !== 'answered').length;
}
