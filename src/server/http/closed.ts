import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Calls `act` once, when nothing more can be sent: the response has been sent, or its connection is gone. Where that has
 * happened already, `act` is called before this returns.
 *
 * A response that waits behind others on one connection never closes by itself when that connection goes, so the
 * connection is asked as well.
 *
 * @param holder a response, or a socket that was upgraded.
 * @returns what takes it back.
 */
export function whenClosed(holder: ServerResponse | Duplex, act: () => void): () => void {
  const emitters = holder instanceof ServerResponse ? [holder, holder.req.socket] : [holder];
  let isOver = false;
  const cancel = () => {
    isOver = true;
    for (const emitter of emitters) emitter.off('close', close);
  };
  const close = () => {
    // The end of a socket ends its response too, and an emitter still calls the listeners that it began with.
    if (isOver) return;
    cancel();
    act();
  };
  if (emitters.some(({ closed }) => closed)) close();
  else for (const emitter of emitters) emitter.once('close', close);
  return cancel;
}
