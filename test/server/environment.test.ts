import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { httpClient } from '../support/clients.js';
import { startTestServer } from '../support/server.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

it.each([
  [{}, { environment: null, colour: null, isProtected: false }],
  [{ HALYARD_ENVIRONMENT: 'staging' }, { environment: 'staging', colour: null, isProtected: false }],
  [
    { HALYARD_ENVIRONMENT: 'Production EU:#c2410c', HALYARD_PROTECTED: 'true' },
    { environment: 'Production EU', colour: '#c2410c', isProtected: true },
  ],
])('a server with the settings %o says what it is', async (settings, expected) => {
  const server = await startTestServer(settings);
  try {
    const { body } = await httpClient(server.url, await server.token('admin')).query(
      '{ server { version environment colour isProtected } }',
    );
    expect(body).toEqual({ data: { server: { version, ...expected } } });
  } finally {
    await server.close();
  }
});
