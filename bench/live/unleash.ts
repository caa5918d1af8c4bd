import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const admin = '*:*.unleash-insecure-admin-api-token';
const frontend = 'default:development.unleash-insecure-frontend-api-token';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/**
 * The time in milliseconds until a flag that an admin turns on is visible through the frontend API of unleash-server, once
 * a round. Nothing but loopback is contacted: version check and telemetry are off.
 *
 * @param refresh FRONTEND_API_REFRESH_INTERVAL_MS; null: its default, 45 minutes.
 */
export async function measureUnleash(databaseUrl: string, refresh: number | null, rounds: number): Promise<number[]> {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./node_modules/unleash-server/dist/server.js', import.meta.url))],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: databaseUrl,
        DATABASE_SSL: 'false',
        HTTP_HOST: '127.0.0.1',
        PORT: String(port),
        LOG_LEVEL: 'fatal',
        CHECK_VERSION: 'false',
        SEND_TELEMETRY: 'false',
        INIT_ADMIN_API_TOKENS: admin,
        INIT_FRONTEND_API_TOKENS: frontend,
        ...(refresh === null ? {} : { FRONTEND_API_REFRESH_INTERVAL_MS: String(refresh) }),
      },
    },
  );
  const base = `http://127.0.0.1:${port}`;
  const manage = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${base}/api/admin/projects/default/features${path}`, {
      method,
      headers: { authorization: admin, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`unleash-server: ${response.status} ${await response.text()}`);
  };
  const isVisible = async (flag: string) => {
    const response = await fetch(`${base}/api/frontend?userId=ann`, { headers: { authorization: frontend } });
    const { toggles } = (await response.json()) as { toggles: { name: string }[] };
    return toggles.some(toggle => toggle.name === flag);
  };

  try {
    const end = Date.now() + 120_000;
    while (
      !(await fetch(`${base}/health`).then(
        response => response.ok,
        () => false,
      ))
    ) {
      if (Date.now() > end || child.exitCode !== null) throw new Error('unleash-server did not start.');
      await new Promise(resolve => setTimeout(resolve, 200));
    }
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const flag = `bench-${refresh ?? 'default'}-${round}`;
      await manage('POST', '', { name: flag, type: 'release', impressionData: false });
      await manage('POST', `/${flag}/environments/development/strategies`, { name: 'default' });
      await isVisible(flag);
      // A moment that has nothing to do with its own timers.
      await new Promise(resolve => setTimeout(resolve, Math.random() * 1_500));
      await manage('POST', `/${flag}/environments/development/on`);
      const answered = performance.now();
      while (!(await isVisible(flag))) await new Promise(resolve => setTimeout(resolve, 2));
      times.push(performance.now() - answered);
    }
    return times;
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
