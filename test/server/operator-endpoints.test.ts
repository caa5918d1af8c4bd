import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { DatabaseBackend } from '../../src/backends/database.js';
import { UnavailableError } from '../../src/core/errors.js';
import { controlled } from '../support/controlled-backend.js';
import { openPGlite } from '../support/pglite.js';
import { startTestServer as startProduct } from '../support/server.js';
import { until } from '../support/wait.js';
import { startTestServer } from './harness.js';

describe('the endpoints for operators', () => {
  it.each(['/health', '/ready', '/metrics'])('at %s tell pages of other origins nothing', async path => {
    await using server = await startTestServer({ metrics: { registry: new Registry() } });
    const headers = { origin: 'https://evil.example' };
    const read = await fetch(`${server.url}${path}`, { headers });
    expect(read.status).toBe(200);
    const preflight = await fetch(`${server.url}${path}`, {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x' },
    });
    expect(preflight.status).toBe(404);
    for (const response of [read, preflight]) {
      for (const name of response.headers.keys()) expect(name).not.toMatch(/^access-control-/);
    }
  });

  it('repeat nothing that the database says; the log has it, once for each outage', async () => {
    const lines: { msg: string; problem?: string | null }[] = [];
    const log = pino({ level: 'warn' }, { write: line => void lines.push(JSON.parse(line)) });
    const database = controlled(await openPGlite());
    await using server = await startProduct(
      { READY_MAX_AGE: '1' },
      { database: database as unknown as DatabaseBackend, pollInterval: 50, log },
    );
    const ready = async () => (await fetch(`${server.url}/ready`)).status;
    await until(async () => (await ready()) === 200, 'it is ready');
    for (let outage = 1; outage <= 2; outage += 1) {
      const recover = database.fail('changes', new UnavailableError('role "hunter2" is not permitted to log in'));
      const isTold = ({ msg, problem }: { msg: string; problem?: string | null }) =>
        msg.startsWith('This node is not ready') && problem?.includes('hunter2');
      await until(async () => (await ready()) === 503 && lines.filter(isTold).length > outage - 1, 'it is not ready');
      const answer = await (await fetch(`${server.url}/ready`)).text();
      expect(answer).toContain('The change log could not be read for');
      expect(answer).not.toContain('hunter2');
      for (let ask = 0; ask < 5; ask += 1) expect(await ready()).toBe(503);
      expect(lines.filter(isTold)).toHaveLength(outage);
      recover();
      await until(async () => (await ready()) === 200, 'it is ready again');
    }
  });
});
