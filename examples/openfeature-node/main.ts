/** Flags through OpenFeature, inside a program. */
import { OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import { createFeatures, MemoryBackend } from 'halyard';
import { HalyardProvider } from 'halyard/openfeature';

const backend = new MemoryBackend(); // for a real program: createFeatures({ databaseUrl })
backend.seed({
  flags: [
    { key: 'new_checkout', enabled: true, conditions: { attributes: { plan: 'pro' } } },
    {
      key: 'page_size',
      enabled: true,
      type: 'NUMBER',
      variants: [
        { key: 'small', value: 10, weight: 0 },
        { key: 'large', value: 50, weight: 1 },
      ],
      offVariant: 'small',
    },
  ],
});
const features = await createFeatures({ backend });
await OpenFeature.setProviderAndWait(new HalyardProvider(features));

const client = OpenFeature.getClient();
const ann = { targetingKey: 'ann', plan: 'pro' };
console.log(await client.getBooleanValue('new_checkout', false, ann)); // true
console.log(await client.getNumberValue('page_size', 5, ann)); // 50

const changed = new Promise<readonly string[] | undefined>(resolve => {
  client.addHandler(ProviderEvents.ConfigurationChanged, details => resolve(details?.flagsChanged));
});
await features.updateFlag({ key: 'page_size', enabled: false });
console.log(await changed); // [ 'page_size' ]
console.log(await client.getNumberValue('page_size', 5, ann)); // 10

await OpenFeature.close();
await features.close();
