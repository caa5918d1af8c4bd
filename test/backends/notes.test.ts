import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { type NodeNote, noteLife } from '../../src/backends/backend.js';
import { openDatabase } from '../../src/backends/database.js';
import { MemoryBackend } from '../../src/backends/memory.js';
import { cleanups, database } from '../support/cleanups.js';
import { until } from '../support/wait.js';

const silent = (): NodeNote => ({ node: randomUUID(), asks: null, answer: null });

it('a note in memory counts for five seconds', async () => {
  let now = Date.now();
  const backend = new MemoryBackend({ now: () => new Date(now) });
  await backend.exchangeNotes({ ...silent(), answer: {} }, false);
  now += noteLife - 1;
  expect(await backend.exchangeNotes(silent(), false)).toHaveLength(1);
  now += 1;
  expect(await backend.exchangeNotes(silent(), false)).toEqual([]);
});

it('a note in the database counts for five seconds, and is deleted when its node has said nothing for a minute', async () => {
  const { url, query } = await database();
  const backend = await openDatabase({ url });
  cleanups.push(() => backend.close());
  const age = (seconds: number) => query(`UPDATE node_notes SET at = now() - interval '${seconds} seconds'`);
  const kept = async () => (await query('SELECT FROM node_notes')).rowCount;
  await backend.exchangeNotes({ ...silent(), answer: {} }, false);
  await age(4);
  expect(await backend.exchangeNotes(silent(), false)).toHaveLength(1);
  await age(5);
  expect(await backend.exchangeNotes(silent(), false)).toEqual([]);
  expect(await kept()).toBe(1);
  await age(61);
  await backend.exchangeNotes(silent(), false);
  expect(await kept()).toBe(0);
});

it('the table of notes is not logged, so that a second of an audience costs no replication', async () => {
  const { query } = await database();
  const { rows } = await query("SELECT relpersistence FROM pg_class WHERE relname = 'node_notes'");
  expect(rows).toEqual([{ relpersistence: 'u' }]);
});

it('a node that has heard nothing for a while looks when it listens again', async () => {
  const { url, query } = await database();
  const backend = await openDatabase({ url });
  cleanups.push(() => backend.close());
  let heard = 0;
  backend.onNotes(() => {
    heard += 1;
  });
  await until(() => heard === 1, 'it listens');
  await query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' OR query = 'SELECT 1'",
  );
  await until(() => heard === 2, 'it listens again');
});
