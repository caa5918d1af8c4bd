import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface JwksServer {
  readonly url: URL;
  /** How often the key set has been asked for. */
  readonly requests: number;
  /** The public keys served, as JWKs. */
  readonly keys: readonly Record<string, unknown>[];
  /** What the endpoint answers from now on: its keys, or this status and body. */
  answer(override: { status: number; body: string } | null): void;
  /** A token signed by a key of this provider. */
  sign(payload: JWTPayload, header?: { alg?: 'ES256' | 'RS256'; kid?: string | null }): Promise<string>;
  close(): Promise<void>;
}

/** An identity provider's key endpoint on 127.0.0.1 with one ES256 and one RS256 key. */
export async function startJwksServer(): Promise<JwksServer> {
  const pairs = {
    ES256: await generateKeyPair('ES256', { extractable: true }),
    RS256: await generateKeyPair('RS256', { extractable: true }),
  };
  const keys = await Promise.all(
    Object.entries(pairs).map(async ([alg, pair]) => ({ ...(await exportJWK(pair.publicKey)), alg, kid: alg })),
  );
  let override: { status: number; body: string } | null = null;
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.writeHead(override?.status ?? 200, { 'content-type': 'application/json' });
    response.end(override?.body ?? JSON.stringify({ keys }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`),
    get requests() {
      return requests;
    },
    keys,
    answer(next) {
      override = next;
    },
    sign(payload, { alg = 'ES256', kid = alg } = {}) {
      return new SignJWT(payload)
        .setProtectedHeader({ alg, ...(kid === null ? {} : { kid }) })
        .sign(pairs[alg].privateKey);
    },
    close: () =>
      new Promise((resolve, reject) => {
        server.closeAllConnections();
        server.close(error => (error ? reject(error) : resolve()));
      }),
  };
}
