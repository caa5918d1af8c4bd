import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/backends/memory.js';
import { FeatureService } from '../../src/features/service.js';
import type { FeaturesUpdate } from '../../src/features/subscriber.js';
import { settle } from '../support/wait.js';

const services: FeatureService[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map(service => service.close()));
});

const flagKeys = ['a', 'b', 'c'];

/** A client that takes each update at once, and keeps the answers that it was sent. */
class Client {
  readonly answers = new Map<string, { enabled: boolean; variant: string | null }>();
  readonly #updates: AsyncIterableIterator<FeaturesUpdate>;

  constructor(service: FeatureService, userId: string, keys: readonly string[] | null) {
    this.#updates = service.subscribe({ userId }, { keys });
    void this.#read();
  }

  async #read(): Promise<void> {
    for await (const { features, removed } of this.#updates) {
      for (const { key, enabled, variant, reason } of features) {
        if (reason === 'FLAG_NOT_FOUND') this.answers.delete(key);
        else this.answers.set(key, { enabled, variant });
      }
      for (const key of removed) this.answers.delete(key);
    }
  }

  async leave(): Promise<void> {
    await this.#updates.return?.();
  }
}

const user = fc.constantFrom('ann', 'bob', 'cleo');
const key = fc.constantFrom(...flagKeys);
const act = fc.oneof(
  fc.record({ act: fc.constant('join' as const), user, keys: fc.option(fc.uniqueArray(key, { minLength: 1 })) }),
  fc.record({ act: fc.constant('leave' as const), index: fc.nat(9) }),
  fc.record({ act: fc.constant('create' as const), key, enabled: fc.boolean() }),
  fc.record({
    act: fc.constant('switch' as const),
    key,
    enabled: fc.boolean(),
    percentage: fc.constantFrom(0, 50, 100),
  }),
  fc.record({ act: fc.constant('delete' as const), key }),
  fc.record({ act: fc.constant('override' as const), key, user, enabled: fc.boolean() }),
  fc.record({ act: fc.constant('count' as const) }),
);

it('an audience counts what each viewer was sent last, whenever it was asked for first', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async acts => {
      const service = await FeatureService.open({ backend: new MemoryBackend() });
      services.push(service);
      const { management } = service;
      const clients: Client[] = [];
      await management.createFlag({ key: 'a', name: 'a', enabled: true });
      const expectCounts = async () => {
        await settle();
        const counted = await service.receipts.audience(flagKeys);
        const expected = flagKeys.map(flag => {
          const answers = clients.flatMap(client => client.answers.get(flag) ?? []);
          const variants: Record<string, number> = {};
          for (const { variant } of answers) variants[variant as string] = 1 + (variants[variant as string] ?? 0);
          const on = answers.filter(({ enabled }) => enabled).length;
          return { key: flag, viewers: answers.length, on, behind: 0, variants };
        });
        expect(counted).toEqual(expected);
      };
      for (const step of acts) {
        if (step.act === 'join') clients.push(new Client(service, step.user, step.keys));
        if (step.act === 'leave')
          for (const client of clients.splice(step.index % Math.max(clients.length, 1), 1)) await client.leave();
        if (step.act === 'count') await expectCounts();
        const { key } = 'key' in step ? step : { key: '' };
        const exists = (await management.updateFlag({ key }).catch(() => null)) !== null;
        if (step.act === 'create' && !exists) await management.createFlag({ key, name: key, enabled: step.enabled });
        if (!exists) continue;
        if (step.act === 'switch') {
          await management.updateFlag({ key, enabled: step.enabled, percentage: step.percentage });
        }
        if (step.act === 'delete') await management.deleteFlag({ key });
        if (step.act === 'override') {
          await management.setOverride({ flagKey: key, userId: step.user, enabled: step.enabled });
        }
      }
      await expectCounts();
      await service.close();
    }),
    { numRuns: 150 },
  );
});
