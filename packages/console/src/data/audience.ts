import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import { pipe, subscribe } from 'wonka';
import { graphql } from './generated/index.js';

const Audiences = graphql(`
  subscription Audiences($keys: [String!]!) {
    flagAudience(keys: $keys) {
      key
      viewers
      on
      variants
      behind
    }
  }
`);

export interface Audience {
  readonly key: string;
  readonly viewers: number;
  readonly on: number;
  readonly variants: Readonly<Record<string, number>>;
  readonly behind: number;
}

/** Who has these flags now, over all nodes, by key. What comes in one frame is shown at once. */
export function useAudiences(keys: readonly string[]): ReadonlyMap<string, Audience> {
  const client = useClient();
  const [audiences, setAudiences] = useState<ReadonlyMap<string, Audience>>(new Map());
  const names = keys.join('\n');
  useEffect(() => {
    if (names === '') return;
    const fresh = new Map<string, Audience>();
    let frame = 0;
    const show = () => {
      frame = 0;
      const news = [...fresh];
      fresh.clear();
      setAudiences(known => new Map([...known, ...news]));
    };
    const { unsubscribe } = pipe(
      client.subscription(Audiences, { keys: names.split('\n') }),
      subscribe(({ data }) => {
        if (data === undefined) return;
        const audience = data.flagAudience as Audience;
        fresh.set(audience.key, audience);
        if (frame === 0) frame = requestAnimationFrame(show);
      }),
    );
    return () => {
      cancelAnimationFrame(frame);
      unsubscribe();
    };
  }, [client, names]);
  return audiences;
}

/** Viewers who are on, by variant. The off variant counts also those who are off, and no other variant does. */
export function turnedOnBy(
  { on, variants }: Audience,
  keys: readonly string[],
  offVariant: string,
): ReadonlyMap<string, number> {
  const others = keys.filter(key => key !== offVariant).map(key => [key, variants[key] ?? 0] as const);
  const sum = others.reduce((total, [, number]) => total + number, 0);
  return new Map([...others, [offVariant, Math.max(0, on - sum)]]);
}
