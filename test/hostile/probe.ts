import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between two questions. */
const interval = 250;

/** Asks `/health` four times a second, on one connection that is kept, and remembers the longest wait. */
export class Probe {
  /** Milliseconds from a question to its answer, at most; one that is under way counts by its age. */
  longest = 0;
  questions = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  readonly #violated: (what: string) => void;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(url: string, violated: (what: string) => void) {
    this.#url = url;
    this.#violated = violated;
    this.#done = this.#ask();
  }

  /** Ends with the answer to the last question, or without it when that takes too long. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.#agent.destroy();
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const asked = performance.now();
      const age = () => performance.now() - asked;
      const growing = setInterval(() => {
        this.longest = Math.max(this.longest, age());
      }, interval);
      this.questions += 1;
      const problem = await this.#once(signal);
      clearInterval(growing);
      this.longest = Math.max(this.longest, age());
      if (problem !== null) this.#violated(`/health ${problem}`);
      await sleep(Math.max(0, interval - age()), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Null: it was answered as it must be. */
  #once(signal: AbortSignal): Promise<string | null> {
    return new Promise(resolve => {
      const request = get(`${this.#url}/health`, { agent: this.#agent }, response => {
        response.resume();
        response.once('close', () => resolve(response.statusCode === 200 ? null : `answered ${response.statusCode}`));
      });
      const hangUp = () => setTimeout(() => request.destroy(), 1_000);
      signal.addEventListener('abort', hangUp, { once: true });
      request.once('error', error => resolve(signal.aborted ? null : `failed: ${error.message}`));
      request.once('close', () => signal.removeEventListener('abort', hangUp));
    });
  }
}
