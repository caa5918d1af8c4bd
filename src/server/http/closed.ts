import type { Duplex } from 'node:stream';
import { HttpResponse } from './unsent.js';

/**
 * Calls `act` once, when nothing more can be sent: the response has been sent, or its connection is gone. If that has
 * happened already, `act` is called before this returns.
 *
 * @param holder a response, or a socket.
 */
export function whenClosed(holder: HttpResponse | Duplex, act: () => void): void {
  if (holder instanceof HttpResponse) holder.whenClosed(act);
  else if (holder.closed) act();
  else holder.once('close', act);
}
