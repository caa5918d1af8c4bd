import { afterEach, expect, it } from 'vitest';
import { openDatabase } from '../../src/backends/database.js';
import { silentLog } from '../../src/core/log.js';
import { FeatureService } from '../../src/features/service.js';
import { createDatabase } from '../support/postgres.js';
import { until } from '../support/wait.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it('conditions nested thousands deep by another hand match nobody, show a fault, and stop no reload', async () => {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  // As deep as the server takes them.
  await database.query(`ALTER DATABASE ${database.name} SET max_stack_depth = '7MB'`);
  const warnings: object[] = [];
  const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) };
  const service = await FeatureService.open({ backend: await openDatabase({ url: database.url, log }), log });
  cleanups.push(() => service.close());
  const reasons = async () =>
    Object.fromEntries((await service.evaluator({})).evaluateAll().map(({ key, reason }) => [key, reason]));

  const deep = `(repeat('{"not": ', 20000) || '{}' || repeat('}', 20000))::jsonb`;
  await database.query(
    `INSERT INTO feature_flags (key, name, enabled, conditions) VALUES ('deep', 'n', true, ${deep})`,
  );
  await until(async () => (await reasons())['deep'] === 'CONDITIONS_NOT_MET', 'it matches nobody');
  expect(service.status.invalidFlags).toBe(1);
  expect(warnings).toMatchObject([{ flag: 'deep' }]);
  for (const next of ['a', 'b']) {
    await database.query('TRUNCATE user_feature_groups');
    await database.query(`INSERT INTO feature_flags (key, name, enabled) VALUES ('${next}', 'n', true)`);
    await until(async () => (await reasons())[next] === 'ENABLED', 'reloads go on');
  }
  expect(service.status.problem).toBeNull();
  expect((await reasons())['deep']).toBe('CONDITIONS_NOT_MET');
});
