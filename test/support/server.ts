import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { mintToken, type TokenRequest } from '../../src/auth/token.js';
import { type Config, readConfig } from '../../src/config.js';
import { type RunningServer, type StartOverrides, startServer } from '../../src/server/index.js';
import { type WsClient, wsClient } from './clients.js';
import { openPGlite } from './pglite.js';

export const ann = '3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a';
export const bob = '00000000-0000-4000-8000-000000000001';

export type TestRole = 'anonymous' | 'user' | 'service' | 'reader' | 'admin';

/** The whole product on a free port, over an embedded database that nothing else uses. */
export interface TestServer extends RunningServer, AsyncDisposable {
  /** A token of this role, valid for an hour; of Ann where the role has a user. Undefined for anonymous. */
  token(role: TestRole, request?: Partial<TokenRequest>): Promise<string | undefined>;
  ws(role: TestRole): Promise<WsClient>;
}

const tokenRoles = { user: 'USER', service: 'SERVICE', reader: 'READER', admin: 'ADMIN' } as const;

export async function startTestServer(
  env: Record<string, string> = {},
  overrides: StartOverrides = {},
): Promise<TestServer> {
  const secret = env['AUTH_JWT_SECRET'] ?? randomBytes(32).toString('hex');
  const config: Config = readConfig({ FEATURE_BACKEND: 'memory', PORT: '0', ...env, AUTH_JWT_SECRET: secret });
  const database = overrides.database ?? (await openPGlite());
  const server = await startServer(config, { log: pino({ level: 'silent' }), ...overrides, database });

  const token: TestServer['token'] = async (role, request) => {
    if (role === 'anonymous') return undefined;
    const userId = role === 'user' ? ann : null;
    const key = new TextEncoder().encode(secret);
    return mintToken(key, { role: tokenRoles[role], userId, expiresInSeconds: 3_600, ...request });
  };
  return {
    ...server,
    get load() {
      return server.load;
    },
    token,
    ws: async role => {
      const bearer = await token(role);
      return wsClient(server.url, bearer === undefined ? {} : { token: bearer });
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
