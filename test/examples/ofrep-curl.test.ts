import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startTestServer } from '../support/server.js';

const script = fileURLToPath(new URL('../../examples/ofrep-curl/evaluate.sh', import.meta.url));

it('the script with curl evaluates one flag and all flags, asks again, and hears of changes', async () => {
  await using server = await startTestServer();
  await server.service.management.createFlag({
    ...{ key: 'new_checkout', name: 'New checkout', enabled: true },
    conditions: { attributes: { plan: 'pro' } },
  });
  const env = { ...process.env, HALYARD_URL: server.url, HALYARD_TOKEN: (await server.token('service')) as string };
  const { stdout } = await promisify(execFile)('sh', [script], { env });
  const [one, missing, all, again, event] = stdout
    .split(/^# .*\n/m)
    .slice(1)
    .map(text => text.trim());
  const flag = { key: 'new_checkout', value: true, variant: 'on', reason: 'TARGETING_MATCH' };
  expect(JSON.parse(one as string)).toMatchObject(flag);
  expect(JSON.parse(missing as string)).toMatchObject({ key: 'nope', errorCode: 'FLAG_NOT_FOUND' });
  expect(JSON.parse(all as string)).toMatchObject({ flags: [flag], eventStreams: [{ type: 'sse' }] });
  expect(again).toBe('304');
  expect(event).toMatch(/^data: \{"type":"refetchEvaluation","etag":"\d+\.[\w-]+"\}$/);
});
