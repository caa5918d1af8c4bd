import { bodyFormFault, type NoBody, readBody, textOf } from '../http/body.js';
import { type ByteBudget, uncountedBytes } from '../http/byte-budget.js';
import type { HttpRequest } from '../http/request.js';
import type { Exchange, Refuse } from '../http/route.js';
import { parsedBytes } from '../operations/variables.js';

interface JsonBodiesOptions {
  /** Bytes of the body of a request. */
  readonly maxBodySize: number;
  /** Bounds the bytes of bodies that have not come to their end or are being answered. */
  readonly unfinished: ByteBudget;
}

interface BodyRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Reads the bodies of POST requests, which are JSON in UTF-8, for all protocols. */
export class JsonBodies {
  readonly #options: JsonBodiesOptions;
  readonly #refusals: Readonly<Record<Exclude<NoBody, 'gone'>, BodyRefusal>>;

  constructor(options: JsonBodiesOptions) {
    this.#options = options;
    this.#refusals = {
      'too large': {
        status: 413,
        code: 'REQUEST_ENTITY_TOO_LARGE',
        message: `The body of a request may have at most ${options.maxBodySize} bytes.`,
      },
      'no room': {
        status: 429,
        code: 'TOO_MANY_REQUESTS',
        message: 'Too many bytes of unfinished or unanswered requests wait. Try again later.',
      },
      'tiny chunks': {
        status: 400,
        code: 'BAD_REQUEST',
        message: 'The body comes in chunks of a few bytes. Send it in larger ones.',
      },
    };
  }

  /** The text of the body, without a look into it. Null: there is none, and that has been answered if the client is there. */
  async read(exchange: Exchange, refuse: Refuse): Promise<string | null> {
    const { request, response, rest } = exchange;
    // Looked for first: the next step writes the type anew.
    const fault = bodyFormFault(request.headers);
    if (!hasJson(request)) {
      response.setHeader('accept', 'application/json');
      refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'A POST takes a body of application/json.', rest);
      return null;
    }
    if (fault !== null) {
      response.setHeader('accept-encoding', 'identity');
      refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', fault, rest);
      return null;
    }
    const { maxBodySize: limit, unfinished: budget } = this.#options;
    const body = await readBody(request, { limit, budget, address: exchange.address });
    if (body === 'gone') return null;
    if (typeof body === 'string') {
      this.#refuse(exchange, refuse, body);
      return null;
    }
    const text = textOf(body);
    if (text === null) refuse(response, 400, 'BAD_REQUEST', 'The body is not UTF-8. Encode it as UTF-8.', rest);
    return text;
  }

  /**
   * Counts a text that is being answered, with what was read out of it.
   * @returns gives the bytes back; undefined for a short text, which does not count. Null: there is no room, and that has been
   * answered.
   */
  hold(exchange: Exchange, text: string | null, refuse: Refuse): (() => void) | undefined | null {
    if (text === null || text.length <= uncountedBytes) return undefined;
    const bytes = parsedBytes(text);
    const { unfinished } = this.#options;
    if (unfinished.hold(exchange.address, bytes)) return () => unfinished.release(exchange.address, bytes);
    this.#refuse(exchange, refuse, 'no room');
    return null;
  }

  #refuse({ response, rest }: Exchange, refuse: Refuse, why: Exclude<NoBody, 'gone'>): void {
    const { status, code, message } = this.#refusals[why];
    if (status === 429) response.setHeader('retry-after', '5');
    refuse(response, status, code, message, rest);
  }
}

function hasJson(request: HttpRequest): boolean {
  if (request.headers['content-type'] === 'application/json') return true;
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') return false;
  // Yoga compares the type letter by letter.
  request.headers['content-type'] = type;
  return true;
}
