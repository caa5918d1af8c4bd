/**
 * The values of the only field of a subscription, over server-sent events. Leaving ends the stream.
 * @param abort ends it while it waits, without an error.
 */
export async function* follow<T>(
  url: string,
  token: string,
  query: string,
  abort = new AbortController(),
): AsyncGenerator<T, void, undefined> {
  try {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query }),
      signal: abort.signal,
    });
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const text = /^data: ?(\{.+)$/m.exec(event)?.[1];
        if (text === undefined) continue;
        const { data, errors } = JSON.parse(text) as { data?: Record<string, T>; errors?: unknown };
        if (data === undefined) throw new Error(JSON.stringify(errors));
        for (const value of Object.values(data)) yield value;
      }
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    abort.abort();
  }
}
