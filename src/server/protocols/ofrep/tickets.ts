import { createHmac, timingSafeEqual } from 'node:crypto';
import { bounded } from '../../../core/text.js';
import type { Watched } from './watched-contexts.js';

/** How long a ticket opens streams at most, in milliseconds. */
export const ticketTime = 3_600_000;
/** For how long a subject gets the same ticket, in milliseconds. So each ticket that is handed out is good for as long again. */
const bucketTime = ticketTime / 2;

const idLength = 16;
const timeLength = 4;
const signatureLength = 16;
const ticketForm = bounded(/^[\w-]{48}$/, 48);

/** A ticket as it is handed out. */
export interface Ticket {
  /** The id of the context that it names. */
  readonly id: string;
  /** The ticket itself, as it stands in the URL of a stream. */
  readonly text: string;
  /** Until when it is handed out, in milliseconds since the epoch. */
  readonly currentUntil: number;
}

/** A ticket as it comes back. */
export interface ReadTicket {
  readonly id: string;
  /** Until when it opens streams, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * Tickets that open event streams. A page cannot give headers to an `EventSource`, so the credential is in the URL, where logs of
 * proxies may find it: a ticket opens the stream of one context and nothing else, and says nothing about the context.
 */
export class Tickets {
  readonly #secret: Uint8Array;
  readonly #now: () => number;

  /** @param now milliseconds since the epoch. */
  constructor(secret: Uint8Array, now: () => number = Date.now) {
    this.#secret = secret;
    this.#now = now;
  }

  /**
   * The ticket of a context. It stays the same for half an hour, because the providers open their stream anew when it changes.
   * It never outlives the credential.
   */
  issue({ context, keys, caller }: Pick<Watched, 'context' | 'keys' | 'caller'>): Ticket {
    const { userId, device, attributes } = context;
    const subject = JSON.stringify([caller.role, userId ?? null, device ?? null, attributes ?? null, keys]);
    const id = this.#sign('context', Buffer.from(subject)).subarray(0, idLength);
    // Not all subjects get their new ticket at the same time.
    const shift = id.readUInt32BE() % bucketTime;
    const start = this.#now() - ((this.#now() + shift) % bucketTime);
    // The ticket has it in whole seconds.
    const expiry = Math.min(start + ticketTime, caller.expiresAt ?? Number.POSITIVE_INFINITY);
    const expiresAt = Math.floor(expiry / 1_000) * 1_000;
    const body = Buffer.alloc(idLength + timeLength);
    id.copy(body);
    body.writeUInt32BE(expiresAt / 1_000, idLength);
    const signature = this.#sign('ticket', body).subarray(0, signatureLength);
    return {
      id: id.toString('base64url'),
      text: Buffer.concat([body, signature]).toString('base64url'),
      currentUntil: Math.min(start + bucketTime, expiresAt),
    };
  }

  /** Null: it is not one of ours, or it has expired. */
  read(text: string): ReadTicket | null {
    if (!ticketForm.test(text)) return null;
    const bytes = Buffer.from(text, 'base64url');
    const body = bytes.subarray(0, idLength + timeLength);
    const signature = this.#sign('ticket', body).subarray(0, signatureLength);
    if (!timingSafeEqual(signature, bytes.subarray(idLength + timeLength))) return null;
    const expiresAt = body.readUInt32BE(idLength) * 1_000;
    if (expiresAt <= this.#now()) return null;
    return { id: body.subarray(0, idLength).toString('base64url'), expiresAt };
  }

  #sign(purpose: 'context' | 'ticket', bytes: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(`${purpose}\n`).update(bytes).digest();
  }
}
