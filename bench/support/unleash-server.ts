import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';
import { waitUntilHealthy } from './wait-until-healthy.js';

const program = fileURLToPath(new URL('./node_modules/unleash-server/dist/server.js', import.meta.url));

const adminToken = '*:*.unleash-insecure-admin-api-token';

export const unleashFrontendToken = 'default:development.unleash-insecure-frontend-api-token';

export interface UnleashServer {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** Calls the admin API below the features of the default project. */
  manage(method: string, path: string, body?: object): Promise<void>;
}

/**
 * Starts unleash-server, which `npm ci --prefix bench/support` installs. It contacts only loopback: version check and telemetry
 * are off.
 */
export async function startUnleash(
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<UnleashServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      DATABASE_SSL: 'false',
      HTTP_HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'fatal',
      NODE_NO_WARNINGS: '1',
      CHECK_VERSION: 'false',
      SEND_TELEMETRY: 'false',
      INIT_ADMIN_API_TOKENS: adminToken,
      INIT_FRONTEND_API_TOKENS: unleashFrontendToken,
      ...env,
    },
  });
  await waitUntilHealthy(url, child);
  const manage = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${url}/api/admin/projects/default/features${path}`, {
      method,
      headers: { authorization: adminToken, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`unleash-server: ${response.status} ${text}`);
  };
  return { url, port, child, manage };
}
