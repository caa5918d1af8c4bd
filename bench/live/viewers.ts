import { request } from 'node:http';
import { WebSocket } from 'ws';

const subscription = 'subscription { viewerFeatures { revision snapshot featureMap removed } }';

/** Connected viewers, as cheap as clients can be: this process must not distort the measurement. */
export class Viewers {
  /** When each update after the first has come, in milliseconds of `performance.now()`. */
  receipts: number[] = [];
  /** The text of the last one. */
  last = '';
  #snapshots = 0;
  readonly #ends: (() => void)[] = [];

  get snapshots(): number {
    return this.#snapshots;
  }

  #received(text: string): void {
    if (text.includes('"snapshot":true')) this.#snapshots += 1;
    else {
      this.receipts.push(performance.now());
      this.last = text;
    }
  }

  openWebSocket(url: string, token: string): Promise<void> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: false,
    });
    this.#ends.push(() => socket.terminate());
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('close', (code, reason) => reject(new Error(`A socket closed with ${code} ${reason}.`)));
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })),
      );
      socket.on('message', (data: Buffer) => {
        const text = data.toString();
        if (text.startsWith('{"type":"connection_ack"')) {
          socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: subscription } }));
        } else if (text.startsWith('{"type":"ping"')) {
          socket.send('{"type":"pong"}');
        } else if (text.includes('"errors"')) {
          reject(new Error(text));
        } else {
          this.#received(text);
          resolve();
        }
      });
    });
  }

  openSse(url: string, token: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
      };
      const stream = request(`${url}/graphql`, { method: 'POST', headers, agent: false }, response => {
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          for (const event of text.split('\n\n')) {
            if (!event.includes('data:') || !event.includes('viewerFeatures')) continue;
            this.#received(event);
            resolve();
          }
        });
      });
      stream.on('error', reject);
      this.#ends.push(() => stream.destroy());
      stream.end(JSON.stringify({ query: subscription }));
    });
  }

  close(): void {
    for (const end of this.#ends) end();
  }
}
