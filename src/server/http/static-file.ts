import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpResponse } from './http-response.js';
import type { HttpRequest } from './request.js';

/** Media types whose files get smaller. */
const compressible = ['text/', 'application/json', 'application/manifest+json', 'image/svg+xml'];

/** A file in memory, which is compressed when a client first asks for it so. */
export class StaticFile {
  readonly #body: Buffer;
  readonly #type: string;
  readonly #etag: string;
  readonly #headers: Readonly<Record<string, string>>;
  #compressed: Promise<Buffer> | null = null;

  /** @param headers of each answer, such as `cache-control`. */
  constructor(body: Buffer, type: string, headers: Readonly<Record<string, string>>) {
    this.#body = body;
    this.#type = type;
    // Weak, because it stands for the compressed form too.
    this.#etag = `W/"${hash('sha256', body, 'base64url').slice(0, 22)}"`;
    this.#headers = { ...headers, 'x-content-type-options': 'nosniff', etag: this.#etag };
  }

  /** Answers GET and HEAD, and a client that has the file with 304. */
  async send(request: HttpRequest, response: HttpResponse<HttpRequest>): Promise<void> {
    const isCompressible = compressible.some(type => this.#type.startsWith(type));
    if (isCompressible) response.appendHeader('vary', 'Accept-Encoding');
    if (isKnown(request.headers['if-none-match'], this.#etag)) {
      response.writeHead(304, this.#headers).end();
      return;
    }
    const isCompressed = isCompressible && String(request.headers['accept-encoding'] ?? '').includes('gzip');
    const body = isCompressed ? await this.#compress() : this.#body;
    response.writeHead(200, {
      ...this.#headers,
      'content-type': this.#type,
      'content-length': body.byteLength,
      ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
    });
    response.share();
    if (request.method === 'HEAD') response.end();
    else response.end(body);
  }

  #compress(): Promise<Buffer> {
    this.#compressed ??= promisify(gzip)(this.#body);
    return this.#compressed;
  }
}

/** Whether a client has this answer. Proxies that compress mark a tag as weak. */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const opaque = (tag: string) => (tag.startsWith('W/') ? tag.slice(2) : tag);
  return header.split(',').some(tag => tag.trim() === '*' || opaque(tag.trim()) === opaque(etag));
}
