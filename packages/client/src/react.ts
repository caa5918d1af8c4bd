'use client';

import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useSyncExternalStore,
} from 'react';
import type { FeatureKey, ValueOf, ValueOrFallback } from './feature-types.js';
import type { Answer, Client, Source, Status } from './types.js';

const ClientContext = /* @__PURE__ */ createContext<Client | null>(null);

/** Properties of {@link HalyardProvider}. */
export interface HalyardProviderProps {
  /** The client whose answers the components below get. Make it outside of components, or once in a state: it holds a connection. */
  readonly client: Client;
  readonly children?: ReactNode;
}

/**
 * Gives the client to the hooks of all components below. It does not close the client.
 *
 * Server rendering, and the first render in the browser that takes it over (hydration), show the answers of the client's `bootstrap`, or
 * the fallbacks without one. So both render the same, whatever the browser has stored or received meanwhile; newer answers follow at once.
 */
export function HalyardProvider({ client, children }: HalyardProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/**
 * The client of the nearest {@link HalyardProvider}, for `identify()`, `ready()` and code in event handlers.
 * @throws Error if there is no provider above the component.
 */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client) return client;
  throw new Error(
    'A hook of @halyard/client/react found no client. Render <HalyardProvider client={client}> above this component.',
  );
}

/**
 * Whether a feature is on. The component renders again when that changes, and not when other features change.
 * @param fallback the answer while there is none, and if there is no such flag. Default false.
 */
export function useFeature(key: FeatureKey, fallback = false): boolean {
  const client = useClient();
  return useSyncExternalStore(
    useOnKey(client, key),
    () => client.isEnabled(key, fallback),
    () => firstAnswer(client, key)?.enabled ?? fallback,
  );
}

/**
 * The value of a feature. The component renders again when its answer changes, and not when other features change.
 * @param fallback the value while there is no answer, if there is no such flag, and if its value has another JSON type.
 */
export function useValue<Key extends FeatureKey, Fallback extends ValueOf<Key>>(
  key: Key,
  fallback: Fallback,
): ValueOrFallback<Key, Fallback> {
  const client = useClient();
  return useSyncExternalStore(
    useOnKey(client, key),
    () => client.value(key, fallback),
    () => {
      const value = firstAnswer(client, key)?.value;
      return (jsonType(value) === jsonType(fallback) ? value : fallback) as ValueOrFallback<Key, Fallback>;
    },
  );
}

/** All answers by key. The component renders again when any of them changes: prefer {@link useFeature} and {@link useValue}. */
export function useFeatures(): Readonly<Record<string, Answer>> {
  const client = useClient();
  return useSyncExternalStore(
    useCallback(listener => client.onChange(listener), [client]),
    () => client.all(),
    () => client.bootstrap?.answers ?? none,
  );
}

/** Whether updates come, and where the present answers come from: for an "offline" sign, or to hide a page until its answers are `live`. */
export function useStatus(): { readonly status: Status; readonly source: Source } {
  const client = useClient();
  const subscribe = useCallback((listener: () => void) => client.onStatus(listener), [client]);
  return {
    status: useSyncExternalStore<Status>(
      subscribe,
      () => client.status,
      () => 'connecting',
    ),
    source: useSyncExternalStore<Source>(
      subscribe,
      () => client.source,
      () => (client.bootstrap ? 'bootstrap' : 'default'),
    ),
  };
}

const none: Readonly<Record<string, Answer>> = {};

const useOnKey = (client: Client, key: FeatureKey) =>
  useCallback((listener: () => void) => client.onKey(key, listener), [client, key]);

/** The answer of server rendering and hydration: React compares both, so it must not depend on what has come since. */
function firstAnswer({ bootstrap }: Client, key: string): Answer | undefined {
  return bootstrap && Object.hasOwn(bootstrap.answers, key) ? bootstrap.answers[key] : undefined;
}

const jsonType = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value);
