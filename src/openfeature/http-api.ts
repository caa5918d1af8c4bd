import { z } from 'zod';
import { bounded } from '../core/text.js';
import { SourceError } from './source.js';

/** A server, and what the provider needs to ask it. */
export interface ServerOptions {
  /** The address of the server, such as `https://flags.example.com`, with or without `/graphql`. */
  readonly url: string;
  /** A token, or an API key, with the role `service`, `reader` or `admin`; or a function that gives one, and is called before each request. */
  readonly token: string | (() => string | Promise<string>);
  /** Milliseconds in which a request must have its answer, the wait that a server asks for included. Default 5,000. */
  readonly timeout?: number | undefined;
  /** Milliseconds between looks at the server's revision, by which changes are noticed; 0: never. Default 5,000. */
  readonly pollInterval?: number | undefined;
}

const envelope = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.object({ code: z.string().optional() }).optional() }))
    .optional(),
});

/** A `Retry-After` in seconds. */
const seconds = bounded(/^\d{1,9}$/, 9);
/** The characters of a token. No server takes a longer header. */
const visible = bounded(/^[\x21-\x7e]+$/, 65_536);

/** Codes of a credential that a person must change. */
const refusedCredentials: ReadonlySet<string | undefined> = new Set(['UNAUTHENTICATED', 'FORBIDDEN']);
/** Codes of a server that may answer the same question later. */
const passing: ReadonlySet<string | undefined> = new Set(['UNAVAILABLE', 'INTERNAL_SERVER_ERROR', 'TOO_MANY_REQUESTS']);

/** Asks the GraphQL API of a server over HTTP. */
export class HttpApi {
  readonly #endpoint: string;
  readonly #token: ServerOptions['token'];
  readonly #timeout: number;
  #closing = new AbortController();
  /** Before this the server wants no request; as `performance.now()` has it. */
  #notBefore = 0;

  constructor(url: string, token: ServerOptions['token'], timeout: number) {
    this.#endpoint = endpointOf(url);
    if (typeof token !== 'string' && typeof token !== 'function') {
      throw new TypeError('A server is asked with a token: expected a text, or a function that gives one.');
    }
    if (!(timeout > 0 && timeout <= 2 ** 31 - 1)) {
      throw new TypeError(`timeout is ${timeout}, expected milliseconds.`);
    }
    this.#token = token;
    this.#timeout = timeout;
  }

  open(): void {
    this.#closing = new AbortController();
    this.#notBefore = 0;
  }

  /** Ends the requests that are under way. */
  close(): void {
    this.#closing.abort();
  }

  /** @throws SourceError */
  async ask<Data>(query: string, variables: object, shape: z.ZodType<Data>): Promise<Data> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeout)]);
    await this.#waitItsTurn(signal);
    const authorization = await this.#authorization();
    const { response, text } = await this.#post(JSON.stringify({ query, variables }), authorization, signal);
    const answer = envelope.safeParse(parse(text)).data;
    const error = answer?.errors?.[0];
    const code = error?.extensions?.code;
    const message = error?.message ?? `HTTP ${response.status}`;
    this.#hold(response);
    if (response.status === 401 || response.status === 403 || refusedCredentials.has(code)) {
      throw new SourceError(`The server refuses the token: ${message}`, 'error');
    }
    if (response.status === 429 || response.status >= 500 || passing.has(code)) {
      throw new SourceError(`The server cannot answer now: ${message}`, 'stale');
    }
    if (error !== undefined) throw new SourceError(`The server refuses the question: ${message}`, 'ready', true);
    const data = shape.safeParse(answer?.data);
    if (data.success) return data.data;
    throw new SourceError(`The answer of ${this.#endpoint} is not one of a Halyard server: check the url.`, 'error');
  }

  async #waitItsTurn(signal: AbortSignal): Promise<void> {
    const wait = this.#notBefore - performance.now();
    if (wait <= 0) return;
    if (wait >= this.#timeout) {
      throw new SourceError(`The server wants no request for ${Math.ceil(wait / 1_000)} more seconds.`, 'stale');
    }
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, wait);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #hold({ status, headers }: Response): void {
    if (status !== 429 && status !== 503) return;
    const after = headers.get('retry-after') ?? '';
    const wait = seconds.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1_000;
    if (wait > 0) this.#notBefore = performance.now() + wait * 1_000;
  }

  async #authorization(): Promise<string> {
    let token: unknown;
    try {
      token = typeof this.#token === 'string' ? this.#token : await this.#token();
    } catch {
      // The error of the program may hold the token or a secret that it is made with.
      throw new SourceError('The function that gives the token has failed.', 'error');
    }
    // A header cannot contain other characters, and the error of `fetch` would show the token.
    if (typeof token !== 'string' || !visible.test(token)) {
      throw new SourceError('The token is empty, or contains characters that no token has.', 'error');
    }
    return `Bearer ${token}`;
  }

  async #post(body: string, authorization: string, signal: AbortSignal): Promise<{ response: Response; text: string }> {
    const headers = { 'content-type': 'application/json', accept: 'application/json', authorization };
    try {
      const response = await fetch(this.#endpoint, { method: 'POST', headers, body, signal });
      return { response, text: await response.text() };
    } catch {
      if (this.#closing.signal.aborted) throw new SourceError('The provider was closed.', 'stale');
      if (signal.aborted) throw new SourceError(`The server did not answer within ${this.#timeout} ms.`, 'stale');
      throw new SourceError(`No server answers at ${this.#endpoint}.`, 'stale');
    }
  }
}

/** @throws TypeError */
function endpointOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (
    parsed === null ||
    !['http:', 'https:'].includes(parsed.protocol) ||
    parsed.username !== '' ||
    parsed.password !== ''
  ) {
    throw new TypeError(
      'The url of a server is an address such as https://flags.example.com, without a user or a password.',
    );
  }
  const path = parsed.pathname.split('/').filter(part => part !== '');
  if (path.at(-1) === 'graphql') path.pop();
  return [parsed.origin, ...path, 'graphql'].join('/');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
