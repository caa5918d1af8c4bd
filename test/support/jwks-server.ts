import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export type Answer = { readonly status: number; readonly body: string } | ((response: ServerResponse) => void);

export interface JwksServer {
  readonly url: URL;
  /** How often the key set has been asked for. */
  readonly requests: number;
  /** The public keys served, as JWKs. */
  readonly keys: readonly Record<string, unknown>[];
  /** What the endpoint answers from now on: its keys (null), this status and body, or whatever the function makes of it. */
  answer(override: Answer | null): void;
  /** Serves its keys from now on without those of this algorithm. */
  withdraw(alg: 'ES256' | 'RS256'): void;
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
  let override: Answer | null = null;
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    if (typeof override === 'function') return override(response);
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
    withdraw(alg) {
      override = { status: 200, body: JSON.stringify({ keys: keys.filter(key => key.alg !== alg) }) };
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
