import type { Duplex } from 'node:stream';
import { networkKey } from './address.js';
import { HttpResponse } from './http-response.js';

/** How many places of each kind one address may take. 0: no limit. */
export interface PlaceLimits {
  /** TCP connections, whatever they carry. */
  readonly connections: number;
  /** Connections that stay open: WebSockets and streams of events. */
  readonly live: number;
  /** Plain requests that are under way: until the answer has been taken. */
  readonly requests: number;
}

export type PlaceKind = keyof PlaceLimits;

/** A place that is held. */
export class Place {
  #taken: Map<string, number> | null;
  readonly #network: string;

  constructor(taken: Map<string, number>, network: string) {
    taken.set(network, (taken.get(network) ?? 0) + 1);
    this.#taken = taken;
    this.#network = network;
  }

  /** Gives it back before its holder closes. More than once is harmless. */
  release(): void {
    const taken = this.#taken;
    if (taken === null) return;
    this.#taken = null;
    const left = (taken.get(this.#network) ?? 1) - 1;
    if (left === 0) taken.delete(this.#network);
    else taken.set(this.#network, left);
  }
}

/**
 * Bounds the connections and requests of one address. A place belongs to a holder that can close, and is given back when
 * the holder closes, whatever else happens. A holder that has closed already gets none. So no place can be forgotten.
 */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #taken: Readonly<Record<PlaceKind, Map<string, number>>> = {
    connections: new Map(),
    live: new Map(),
    requests: new Map(),
  };

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** How many places of a kind are taken, by all addresses together. */
  count(kind: PlaceKind): number {
    let sum = 0;
    for (const taken of this.#taken[kind].values()) sum += taken;
    return sum;
  }

  /** How many addresses hold a place of any kind. */
  get addresses(): number {
    return new Set(Object.values(this.#taken).flatMap(taken => [...taken.keys()])).size;
  }

  /** @returns null when the address holds as many as it may. */
  take(kind: PlaceKind, address: string, holder: HttpResponse | Duplex): Place | null {
    const limit = this.#limits[kind];
    const taken = this.#taken[kind];
    const network = networkKey(address);
    if (limit > 0 && (taken.get(network) ?? 0) >= limit) return null;
    const place = new Place(taken, network);
    whenClosed(holder, () => place.release());
    return place;
  }
}

/**
 * Calls `act` once, when nothing more can be sent: the response has been sent, or its connection is gone. If that has
 * happened already, `act` is called before this returns.
 *
 * @param holder a response, or a socket.
 */
function whenClosed(holder: HttpResponse | Duplex, act: () => void): void {
  if (holder instanceof HttpResponse) holder.whenClosed(act);
  else if (holder.closed) act();
  // A socket closes once. `once` would keep a wrapper for as long as it is open.
  else holder.on('close', act);
}
