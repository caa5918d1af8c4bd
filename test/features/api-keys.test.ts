import { afterEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { apiKeyRoles, apiKeySecret } from '../../src/core/api-key.js';
import { UnavailableError } from '../../src/core/errors.js';
import { FeatureService } from '../../src/features/service.js';
import { controlled } from '../support/controlled-backend.js';
import { until } from '../support/wait.js';

const closes: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closes.splice(0)) await close();
});

async function open(options: { now?: () => number; apiKeyUsesInterval?: number } = {}) {
  const backend = controlled(new MemoryBackend());
  const service = await FeatureService.open({ backend, holdsApiKeys: true, ...options });
  closes.push(() => service.close());
  if (service.apiKeys === null) throw new Error('The service holds no API keys.');
  return { backend, management: service.management, keys: service.apiKeys, service };
}

type Opened = Awaited<ReturnType<typeof open>>;

let serial = 0;
async function make({ management, keys }: Pick<Opened, 'management' | 'keys'>, expiresAt: Date | null = null) {
  serial += 1;
  const { value, revision } = await management.createApiKey({ name: `key ${serial}`, role: 'SERVICE', expiresAt });
  await keys.reach(revision);
  return value;
}

describe('API keys', () => {
  it('have secrets that nobody can guess, of which their prefix tells little', async () => {
    const opened = await open();
    const [one, other] = [await make(opened), await make(opened)];
    expect(one.secret).toMatch(/^hly_[\w-]{43}$/);
    expect(one.secret).not.toBe(other.secret);
    expect(one.apiKey.prefix).toBe(one.secret.slice(0, 9));
    expect(JSON.stringify(await opened.backend.apiKeys())).not.toContain(one.secret.slice(9));
  });

  it('tell their secret also if this node cannot read the change back', async () => {
    const { backend, management } = await open();
    backend.loseHints();
    const restore = backend.fail('changes', new UnavailableError());
    const { value } = await management.createApiKey({ name: 'told', role: 'ADMIN' });
    restore();
    expect(value.secret).toMatch(/^hly_/);
    expect((await backend.apiKeys()).keys.map(({ name }) => name)).toEqual(['told']);
  });

  it('are found by their secret without a call of the backend, and by nothing else', async () => {
    const opened = await open();
    const { apiKey, secret } = await make(opened);
    const { backend, keys } = opened;
    const before = backend.count('apiKeys');
    expect(keys.find(secret)).toEqual(apiKey);
    expect(keys.find(secret)).toBe(keys.find(secret));
    const wrong = [
      apiKeySecret(Buffer.alloc(32)),
      `${secret}x`,
      secret.slice(0, -1),
      `${secret.slice(0, -1)}!`,
      '',
      'hly_',
    ];
    for (const text of wrong) expect(keys.find(text)).toBeNull();
    expect(backend.count('apiKeys')).toBe(before);
  });

  it('have one of the roles, a name and an end in the future', async () => {
    const { management } = await open({ now: () => 1_000_000 });
    for (const role of apiKeyRoles) await management.createApiKey({ name: role, role });
    const refused: [object, string][] = [
      [{ name: '' }, 'name'],
      [{ name: 'x'.repeat(101) }, 'name'],
      [{ name: ' blank' }, 'name'],
      [{ role: 'USER' }, 'role'],
      [{ expiresAt: new Date(1_000_000) }, 'expiresAt'],
      [{ expiresAt: new Date('x') }, 'expiresAt'],
      [{ note: '' }, 'note'],
      [{ hash: 'x' }, 'hash'],
    ];
    for (const [input, path] of refused) {
      const given = { name: 'n', role: 'ADMIN', ...input } as Parameters<typeof management.createApiKey>[0];
      await expect(management.createApiKey(given), path).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        path: [path],
      });
    }
    await expect(management.revokeApiKey({ id: 'x' })).rejects.toMatchObject({ path: ['id'] });
    const id = '00000000-0000-4000-8000-000000000001';
    await expect(management.revokeApiKey({ id })).rejects.toMatchObject({ code: 'API_KEY_NOT_FOUND', path: ['id'] });
  });

  it('are gone, and tell those who wait for it, as soon as the log has their revocation: without a read of the keys', async () => {
    const opened = await open();
    const { backend, management, keys } = opened;
    const [one, other] = [await make(opened), await make(opened)];
    const ended: string[] = [];
    keys.whenRevoked(one.apiKey.id, () => ended.push('one'));
    keys.whenRevoked(one.apiKey.id, () => ended.push('cancelled'))();
    keys.whenRevoked(other.apiKey.id, () => ended.push('other'));
    const before = backend.count('apiKeys');
    await management.revokeApiKey({ id: one.apiKey.id });
    expect(ended).toEqual(['one']);
    expect(keys.find(one.secret)).toBeNull();
    expect(keys.find(other.secret)).not.toBeNull();
    expect(backend.count('apiKeys')).toBe(before);
    keys.whenRevoked(one.apiKey.id, () => ended.push('late'));
    expect(ended).toEqual(['one', 'late']);
  });

  it('do not come back by a read that began before they were revoked', async () => {
    const opened = await open();
    const { backend, management, keys } = opened;
    const { apiKey, secret } = await make(opened);
    const release = backend.hold('apiKeys');
    const { secret: later } = (await management.createApiKey({ name: 'later', role: 'ADMIN' })).value;
    await until(() => backend.count('apiKeys') > 2, 'the keys are read');
    await management.revokeApiKey({ id: apiKey.id });
    release();
    await until(() => keys.find(later) !== null, 'the read has ended');
    expect(keys.find(secret)).toBeNull();
  });

  it('that were made while the store cannot be read are known later', async () => {
    const { backend, management, keys } = await open();
    const heal = backend.fail('apiKeys', new UnavailableError());
    const { value, revision } = await management.createApiKey({ name: 'a', role: 'ADMIN' });
    await expect(keys.reach(revision)).rejects.toBeInstanceOf(UnavailableError);
    expect(keys.find(value.secret)).toBeNull();
    heal();
    await until(() => keys.find(value.secret) !== null, 'the keys are read again');
  });

  it('that have expired are found, and their use does not count', async () => {
    let now = 1_000_000;
    const opened = await open({ now: () => now, apiKeyUsesInterval: 20 });
    const { apiKey, secret } = await make(opened, new Date(2_000_000));
    now = 2_000_000;
    expect(opened.keys.find(secret)).toEqual(apiKey);
    await opened.service.close();
    expect(opened.backend.count('noteApiKeyUses')).toBe(0);
  });

  it('that were used are written together now and then, again after a failure, and at the end', async () => {
    const opened = await open({ apiKeyUsesInterval: 20 });
    const { backend, keys, service } = opened;
    const [one, other] = [await make(opened), await make(opened)];
    for (let i = 0; i < 100; i += 1) for (const { secret } of [one, other]) keys.find(secret);
    await until(() => backend.count('noteApiKeyUses') > 0, 'the uses are written');
    expect(backend.count('noteApiKeyUses')).toBe(1);
    const heal = backend.fail('noteApiKeyUses', new UnavailableError());
    keys.find(one.secret);
    await until(() => backend.count('noteApiKeyUses') > 2, 'the uses cannot be written');
    heal();
    const failed = backend.count('noteApiKeyUses');
    await until(() => backend.count('noteApiKeyUses') > failed, 'the uses are written again');
    const written = backend.count('noteApiKeyUses');
    keys.find(other.secret);
    await service.close();
    expect(backend.count('noteApiKeyUses')).toBe(written + 1);
  });

  it('are not undone: the error says what to do', async () => {
    const { management } = await open();
    const { batch } = await management.createApiKey({ name: 'a', role: 'ADMIN' });
    await expect(management.undoBatch({ batch: batch as string })).rejects.toThrow(/revoke the key/);
  });
});
