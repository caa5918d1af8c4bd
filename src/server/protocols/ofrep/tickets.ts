import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../../../auth/caller.js';
import { bounded } from '../../../core/text.js';
import type { Watched } from './watched-contexts.js';

/** How long a ticket opens streams at most, in milliseconds. */
export const ticketTime = 3_600_000;
/** For how long a subject gets the same ticket, in milliseconds. So each ticket that is handed out is good for as long again. */
const bucketTime = ticketTime / 2;

/** The ticket of a longer subject, in characters, is made anew each time: thousands of callers are kept. */
const maxKeptSubject = 1_000;

const markForm = bounded(/^(\d{1,10})\.[\w-]{11}$/, 22);
const markLength = 8;
const idLength = 16;
const timeLength = 4;
const signatureLength = 16;
const keyLength = 16;
/** The tickets of API keys are longer: they name the key. */
const ticketForm = bounded(/^(?:[\w-]{48}|[\w-]{70})$/, 70);

/** A ticket as it is handed out. */
export interface Ticket {
  /** The id of the context that it names. */
  readonly id: string;
  /** The ticket itself, as it stands in the URL of a stream. */
  readonly text: string;
  /** Until when it is handed out, in milliseconds since the epoch. */
  readonly currentUntil: number;
  /** When the streams that it opens end, in milliseconds since the epoch: never after the credential. Null: never. */
  readonly endsAt: number | null;
}

/** A ticket as it comes back. */
export interface ReadTicket {
  readonly id: string;
  /** Until when it opens streams, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** The API key that it ends with. Null: it was given for a token, or to an anonymous caller. */
  readonly apiKeyId: string | null;
}

/**
 * Tickets that open event streams. A page cannot give headers to an `EventSource`, so the credential is in the URL, where logs of
 * proxies may find it: a ticket opens the stream of one context and nothing else, and says nothing about the context.
 */
export class Tickets {
  readonly #secret: Uint8Array;
  readonly #now: () => number;
  /** By caller, the last ticket: most callers have one subject, and signing costs as much as many answers. */
  readonly #last = new WeakMap<Caller, { readonly subject: string; readonly ticket: Ticket }>();
  /** All streams tell the same revision at a time. */
  #lastMark: { readonly revision: number; readonly text: string } | null = null;

  /** @param now milliseconds since the epoch. */
  constructor(secret: Uint8Array, now: () => number = Date.now) {
    this.#secret = secret;
    this.#now = now;
  }

  /**
   * The ticket of a context and a credential. It stays the same for half an hour, because the providers open their stream anew when
   * it changes. It never outlives the credential. Credentials that end in the same half hour share it, unless they end with it: so
   * a token for each page load changes nothing.
   */
  issue({ context, keys, caller }: Pick<Watched, 'context' | 'keys' | 'caller'>): Ticket {
    const { userId, device, attributes } = context;
    const by = caller.apiKey?.id ?? null;
    const about = [caller.role, userId ?? null, device ?? null, attributes ?? null, keys];
    const subject = JSON.stringify(by === null ? about : [...about, by]);
    const last = this.#last.get(caller);
    if (last?.subject === subject && last.ticket.currentUntil > this.#now()) return last.ticket;
    const id = this.#sign('context', Buffer.from(subject)).subarray(0, idLength);
    // Not all subjects get their new ticket at the same time.
    const shift = (id.readUInt32BE() % (bucketTime / 1_000)) * 1_000;
    const bucketOf = (time: number) => time - ((time + shift) % bucketTime);
    const start = bucketOf(this.#now());
    const latest = start + ticketTime;
    const end = caller.expiresAt;
    const endsAt = end === null ? null : end < latest ? Math.floor(end / 1_000) * 1_000 : bucketOf(end);
    const expiresAt = Math.min(latest, endsAt ?? latest);
    // The end makes another id of it, and is as secret there as the rest.
    id.writeInt32BE(id.readInt32BE(idLength - 4) ^ ((endsAt ?? 0) / 1_000), idLength - 4);
    const key = by === null ? Buffer.alloc(0) : Buffer.from(by.replaceAll('-', ''), 'hex');
    const body = Buffer.concat([id, Buffer.alloc(timeLength), key]);
    body.writeUInt32BE(expiresAt / 1_000, idLength);
    const signature = this.#sign('ticket', body).subarray(0, signatureLength);
    const ticket = {
      id: id.toString('base64url'),
      text: Buffer.concat([body, signature]).toString('base64url'),
      currentUntil: Math.min(start + bucketTime, expiresAt),
      endsAt,
    };
    if (subject.length <= maxKeptSubject) this.#last.set(caller, { subject, ticket });
    return ticket;
  }

  /** Null: it is not one of ours, or it has expired. */
  read(text: string): ReadTicket | null {
    if (!ticketForm.test(text)) return null;
    const bytes = Buffer.from(text, 'base64url');
    const body = bytes.subarray(0, bytes.length - signatureLength);
    const signature = this.#sign('ticket', body).subarray(0, signatureLength);
    if (!timingSafeEqual(signature, bytes.subarray(body.length))) return null;
    const expiresAt = body.readUInt32BE(idLength) * 1_000;
    if (expiresAt <= this.#now()) return null;
    const key = body.subarray(idLength + timeLength);
    return {
      id: body.subarray(0, idLength).toString('base64url'),
      expiresAt,
      apiKeyId: key.length === keyLength ? uuidOf(key) : null,
    };
  }

  /** A revision as it stands in an event. Nobody but a node on this database can make it. */
  mark(revision: number): string {
    if (this.#lastMark?.revision !== revision) {
      this.#lastMark = { revision, text: `${revision}.${this.#signatureOf(revision)}` };
    }
    return this.#lastMark.text;
  }

  /** The revision of an event. Null: no node on this database has told it. */
  readMark(text: string): number | null {
    const revision = Number(markForm.test(text) ? text.slice(0, text.indexOf('.')) : Number.NaN);
    return text === `${revision}.${this.#signatureOf(revision)}` ? revision : null;
  }

  #signatureOf(revision: number): string {
    const signature = this.#sign('revision', Buffer.from(String(revision)));
    return signature.subarray(0, markLength).toString('base64url');
  }

  #sign(purpose: 'context' | 'ticket' | 'revision', bytes: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(`${purpose}\n`).update(bytes).digest();
  }
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
