import { isDeepStrictEqual, styleText } from 'node:util';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** A sender of operations: its name in the demo, and its token. */
export interface Actor {
  readonly name: string;
  readonly token: string | null;
}

/** Prints questions and answers, and remembers whether every answer was as expected. */
export class Stage {
  readonly #url: string;
  readonly #mismatches: string[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  get mismatches(): readonly string[] {
    return this.#mismatches;
  }

  title(text: string): void {
    console.log(`\n${styleText('bold', text)}\n${'─'.repeat(text.length)}`);
  }

  say(text: string): void {
    console.log(`\n${text}`);
  }

  /** Sends an operation and states its answer. */
  async ask<Data, Variables>(
    actor: Actor,
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    expected: Data,
  ): Promise<void> {
    const query = print(document);
    console.log(`\n${styleText('cyan', `${actor.name} asks`)}\n${indent(query)}`);
    if (Object.keys(variables as object).length > 0) console.log(indent(`variables: ${oneLine(variables)}`));
    const response = await fetch(`${this.#url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization(actor) },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown };
    this.check(`${actor.name}: ${query}`, errors ?? data, expected);
  }

  /** Opens a subscription; `next` prints the next update and checks it. */
  watch<Data>(actor: Actor, document: TypedDocumentNode<Data, Record<string, never>>) {
    const client = createClient({
      url: `${this.#url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: authorization(actor),
      retryAttempts: 0,
    });
    const query = print(document);
    console.log(`\n${styleText('cyan', `${actor.name} subscribes`)}\n${indent(query)}`);
    const updates = client.iterate<Data>({ query });
    return {
      next: async (expected: Data) => {
        const { value } = await updates.next();
        this.check(`${actor.name} is pushed`, value?.errors ?? value?.data, expected, `${actor.name} is pushed`);
      },
      stop: async () => {
        await updates.return?.();
        await client.dispose();
      },
    };
  }

  /** Checks an answer. The demo runs on if it differs, and lists all differences at the end. */
  check(what: string, actual: unknown, expected: unknown, label = 'answer'): void {
    const isSame = isDeepStrictEqual(plain(actual), plain(expected));
    console.log(`${styleText(isSame ? 'green' : 'red', `${isSame ? '✓' : '✗'} ${label}`)}\n${indent(pretty(actual))}`);
    if (isSame) return;
    console.log(`${styleText('red', 'expected')}\n${indent(pretty(expected))}`);
    this.#mismatches.push(what.split('\n')[0] ?? what);
  }
}

function authorization({ token }: Actor): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function oneLine(value: unknown): string {
  return JSON.stringify(value);
}

/** JSON in which lists and objects stay on one line if they fit. */
function pretty(value: unknown): string {
  const line = oneLine(value) ?? 'undefined';
  return line.length <= 100 ? line : JSON.stringify(value, null, 2);
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
