import { createClient, type FeatureKey, type ValueOf } from '@halyard/client';
import { useFeature, useFeatures, useValue } from '@halyard/client/react';

// A program of its own, because it fills FeatureTypes in as the file of `halyard types --client` does. A line below `@ts-expect-error` that has no
// error fails the build.
declare module '@halyard/client' {
  interface FeatureTypes {
    new_checkout: boolean;
    theme: 'light' | 'dark';
    'max-items': number;
    limits: { readonly perMinute: number };
  }
}

/** Fails to compile unless both are the same type. */
const same = <Left, Right>(
  _isSame: (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false,
) => {};

same<FeatureKey, 'new_checkout' | 'theme' | 'max-items' | 'limits'>(true);
same<ValueOf<'theme'>, 'light' | 'dark'>(true);

export function Page() {
  const theme = useValue('theme', 'light');
  const items = useValue('max-items', 5);
  const limits = useValue('limits', { perMinute: 1 });
  same<typeof theme, 'light' | 'dark'>(true);
  same<typeof items, number>(true);
  same<typeof limits, { readonly perMinute: number }>(true);
  const isNew: boolean = useFeature('new_checkout', true);
  // All answers by any key: a server may have flags that the page does not know yet.
  const other = useFeatures()['other']?.enabled;

  // @ts-expect-error a key that is misspelt
  useFeature('new_chekout');
  // @ts-expect-error a key that is misspelt
  useValue('them', 'light');
  // @ts-expect-error a fallback that is no value of the flag
  useValue('theme', 'blue');
  // @ts-expect-error a fallback of another type
  useValue('max-items', '5');
  // @ts-expect-error a fallback without a field
  useValue('limits', {});
  // @ts-expect-error a fallback of another type for the switch
  useFeature('new_checkout', 'on');
  // @ts-expect-error a value is not of another type
  const wrong: string = useValue('max-items', 5);
  // @ts-expect-error null is no value of a flag
  useValue('theme', null);
  // @ts-expect-error any text is no key
  useFeature(String(theme));

  return [isNew, other, wrong, limits.perMinute];
}

const client = createClient({ url: '/', keys: ['theme', 'limits'] });
same<ReturnType<typeof client.isEnabled>, boolean>(true);
const theme = client.value('theme', 'dark');
same<typeof theme, 'light' | 'dark'>(true);
client.onKey('theme', () => {});

// @ts-expect-error a key that is misspelt
createClient({ url: '/', keys: ['them'] });
// @ts-expect-error a key that is misspelt
client.isEnabled('them');
// @ts-expect-error a key that is misspelt
client.evaluate('them');
// @ts-expect-error a key that is misspelt
client.onKey('them', () => {});
// @ts-expect-error a fallback that is no value of the flag
client.value('theme', 'blue');
