import { eventStream, rawGet, rawPost, subscription } from './raw-http.js';
import { HostileSocket, upgradeHead } from './socket.js';
import type { Stage } from './stage.js';
import { Wire } from './wire.js';

/** What is sent on connections that then do nothing: one of every kind that could hold up a server that wants to stop. */
const sent: readonly string[] = [
  '',
  rawGet('/graphql').slice(0, 30),
  rawGet('/health'),
  rawGet('/graphql', { accept: 'text/html' }).repeat(3),
  rawPost({ length: 500 }),
  rawPost({ headers: eventStream, body: subscription }),
  upgradeHead(),
  upgradeHead().slice(0, 120),
];

/** Clients that are there, read nothing, and do not leave by themselves. */
export async function linger(stage: Stage): Promise<void> {
  for (const bytes of sent) {
    for (let count = 0; count < 3; count += 1) {
      const wire = await Wire.open(stage);
      wire.socket.pause();
      wire.write(bytes);
    }
  }
  for (let count = 0; count < 3; count += 1) {
    const socket = await HostileSocket.begin(stage, undefined, { answersPings: false });
    socket.subscribe('1', JSON.parse(subscription));
    await socket.result('1');
    socket.wire.socket.pause();
  }
}
