import type { Client } from './types.js';

export interface UsageOptions {
  /** The address of the server, as `createClient` takes it. */
  readonly url: string;
  /** The token of the signed-in user at the moment; null: nobody is signed in, and nothing is reported. Asked before each report. */
  readonly token: () => string | null | Promise<string | null>;
}

/** The part of a page that is used. */
interface Globals {
  readonly document?: { readonly visibilityState?: string };
  addEventListener?(name: string, listener: () => void): void;
  removeEventListener?(name: string, listener: () => void): void;
}

/** Milliseconds from the first flag that is read to the report: the server counts a flag once a minute for each user. */
const reportDelay = 60_000;
/** The most keys that the server takes at once. */
const mostKeys = 250;

const mutation = 'mutation HalyardUsage($keys: [String!]!) { reportUsage(input: { keys: $keys }) { __typename } }';

/**
 * A client that tells the server which flags the page reads, so that flags in use do not look unused. The server cannot know it
 * otherwise: the stream brings all flags. Give the client that is returned to everything that reads flags, such as `HalyardProvider`.
 *
 * Keys alone are sent, once a minute at most, and when the tab is hidden. A report that fails is not sent again, and nobody waits for it.
 */
export function reportUsage(client: Client, { url, token }: UsageOptions): Client {
  const page = globalThis as Globals;
  const read = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const send = async (keys: readonly string[]): Promise<void> => {
    const bearer = await token();
    if (!bearer) return;
    await fetch(url.replace(/(\/graphql)?\/*$/, '/graphql'), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ query: mutation, variables: { keys } }),
      // The page may be about to close.
      keepalive: true,
    });
  };
  const report = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const keys = [...read];
    read.clear();
    while (keys.length) send(keys.splice(0, mostKeys)).catch(() => {});
  };
  const onVisibility = (): void => {
    if (page.document?.visibilityState === 'hidden') report();
  };
  const note = (key: string): void => {
    // Without an answer the page got its fallback: that is no use of a flag.
    if (!client.evaluate(key)) return;
    read.add(key);
    if (timer) return;
    timer = setTimeout(report, reportDelay);
    // A program that has nothing else to do ends.
    (timer as { unref?(): void }).unref?.();
  };

  page.addEventListener?.('visibilitychange', onVisibility);
  const methods: Pick<Client, 'isEnabled' | 'value' | 'evaluate' | 'close'> = {
    isEnabled(key, fallback) {
      note(key);
      return client.isEnabled(key, fallback);
    },
    value(key, fallback) {
      note(key);
      return client.value(key, fallback);
    },
    evaluate(key) {
      note(key);
      return client.evaluate(key);
    },
    close() {
      report();
      page.removeEventListener?.('visibilitychange', onVisibility);
      client.close();
    },
  };
  // Everything else is the client's own, as it is at the moment.
  return Object.assign(Object.create(client) as Client, methods);
}
