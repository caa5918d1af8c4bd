import { once } from 'node:events';
import { startUnleash, unleashFrontendToken } from '../support/unleash-server.js';

/**
 * The time in milliseconds until a flag that an admin turns on is visible through the frontend API of unleash-server, once
 * a round.
 *
 * @param refresh FRONTEND_API_REFRESH_INTERVAL_MS; null: its default, 45 minutes.
 */
export async function measureUnleash(databaseUrl: string, refresh: number | null, rounds: number): Promise<number[]> {
  const { url, child, manage } = await startUnleash(
    databaseUrl,
    refresh === null ? {} : { FRONTEND_API_REFRESH_INTERVAL_MS: String(refresh) },
  );
  const isVisible = async (flag: string) => {
    const response = await fetch(`${url}/api/frontend?userId=ann`, {
      headers: { authorization: unleashFrontendToken },
    });
    const { toggles } = (await response.json()) as { toggles: { name: string }[] };
    return toggles.some(toggle => toggle.name === flag);
  };

  try {
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
