import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ClosedAnswer, FeatureDisabledError, type Features, type FeatureUser } from '../../../src/index.js';

/** What the gated handler does when it is reached. */
export type Behaviour = 'answers' | 'throws' | 'echoes';

/** One thing to try on every form of gate. */
export interface Scenario {
  readonly features: Features;
  readonly key: string;
  /** The caller's id. Null: an anonymous caller. `'broken'`: a caller whose user the program cannot determine. */
  readonly caller: string | null;
  /** The device that the program knows of; null: none. */
  readonly device: string | null;
  readonly answer: ClosedAnswer & { readonly whenUnknown?: 'closed' | 'open' };
  readonly handler: Behaviour;
}

/** What came of it. */
export type Outcome =
  | { readonly outcome: 'handled'; readonly text: string }
  | { readonly outcome: 'failed'; readonly error: string }
  | {
      readonly outcome: 'closed';
      readonly status: number;
      readonly location: string | null;
      /** Null with a redirect, which says nothing. */
      readonly message: string | null;
      /** Null where the form has no headers of its own. */
      readonly cacheControl: string | null;
    };

/** One way to write a gate down. */
export interface Form {
  readonly name: string;
  /** Whether the gate itself answers over HTTP. The others throw, and somebody else answers. */
  readonly overHttp: boolean;
  /** False where there is nothing that could be redirected. */
  readonly redirects?: boolean;
  run(scenario: Scenario): Promise<Outcome>;
}

export const handled = 'in';
export const failure = 'the handler failed';

/** How the program in front of the gate knows who asks. */
export function userOf(caller: string | null | undefined): FeatureUser | null {
  if (caller === 'broken') throw new Error('no session');
  return caller == null ? null : { id: caller };
}

/** The gated handler, whatever stands around it. */
export async function behave(behaviour: Behaviour, body: () => Promise<string>): Promise<string> {
  if (behaviour === 'throws') throw new Error(failure);
  return behaviour === 'answers' ? handled : body();
}

/** What is sent to be echoed: in pieces, of which none is there before the one in front of it was taken. */
export const pieces = Array.from({ length: 40 }, (_, index) => `${index}:`.padEnd(4096, '.'));

/** The request of a scenario. Only one that is echoed has a body. */
export function requestFor(scenario: Scenario, url: string): Request {
  const headers = {
    ...(scenario.caller === null ? {} : { 'x-user': scenario.caller }),
    ...(scenario.device === null ? {} : { 'x-device': scenario.device }),
  };
  if (scenario.handler !== 'echoes') return new Request(url, { headers, redirect: 'manual' });
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(Buffer.from(piece));
    },
  });
  const init = { method: 'POST', headers, body, duplex: 'half', redirect: 'manual' } as const;
  return new Request(url, init);
}

/** What an answer over HTTP means. Programs under test answer 500 with the text of an error. */
export async function outcomeOf(response: Response): Promise<Outcome> {
  const text = await response.text();
  if (response.status === 200) return { outcome: 'handled', text };
  if (response.status === 500) return { outcome: 'failed', error: text };
  return {
    outcome: 'closed',
    status: response.status,
    location: response.headers.get('location'),
    message: text === '' ? null : (JSON.parse(text) as { message: string }).message,
    cacheControl: response.headers.get('cache-control'),
  };
}

/** What was thrown means, where a gate throws. */
export function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof FeatureDisabledError)) return { outcome: 'failed', error: (error as Error).message };
  const { status, redirectUrl, message } = error;
  const said = redirectUrl === null ? message : null;
  return { outcome: 'closed', status, location: redirectUrl, message: said, cacheControl: null };
}

/** Serves on a free port for one request. */
export async function overNode(listener: RequestListener, scenario: Scenario): Promise<Outcome> {
  const server = createServer(listener);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    return await outcomeOf(await fetch(requestFor(scenario, `http://127.0.0.1:${port}/beta`)));
  } finally {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  }
}
