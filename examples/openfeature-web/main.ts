/** One flag on a page, live, through OpenFeature. */
import { createClient } from '@halyard/client';
import { HalyardWebProvider } from '@halyard/client/openfeature';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

/** Shows the flag now and after each change. Returns the function that ends it. */
export async function showBanner(url: string, show: (text: string) => void): Promise<() => Promise<void>> {
  const halyard = createClient({ url });
  await OpenFeature.setProviderAndWait(new HalyardWebProvider(halyard));

  const client = OpenFeature.getClient();
  const update = () => show(client.getStringValue('banner', 'Welcome'));
  update();
  client.addHandler(ProviderEvents.ConfigurationChanged, update);

  return async () => {
    await OpenFeature.clearProviders();
    halyard.close();
  };
}
