import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** A probe that takes longer than so many milliseconds has failed. */
const patience = 10_000;
const interval = 200;

/** The faults found since the last call. */
export interface Probed {
  readonly answered: number;
  /** Milliseconds; NaN when nothing was answered. */
  readonly slowest: number;
  readonly failed: number;
}

/** Asks `/health` five times a second, one probe after the other, until it is stopped. */
export class HealthProbe {
  readonly #agent: Agent;
  readonly #probing: Promise<void>;
  #taken: number[] = [];
  #failed = 0;
  #isOver = false;

  /** @param isKept one connection for all probes; otherwise each opens its own, as an orchestrator's does. */
  constructor(
    readonly port: number,
    readonly isKept: boolean,
  ) {
    this.#agent = new Agent({ keepAlive: isKept, maxSockets: 1 });
    this.#probing = this.#probe();
  }

  take(): Probed {
    const probed = {
      answered: this.#taken.length,
      slowest: this.#taken.length === 0 ? Number.NaN : Math.max(...this.#taken),
      failed: this.#failed,
    };
    this.#taken = [];
    this.#failed = 0;
    return probed;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#probing;
    this.#agent.destroy();
  }

  async #probe(): Promise<void> {
    while (!this.#isOver) {
      const asked = performance.now();
      if (await this.#ask()) this.#taken.push(performance.now() - asked);
      else this.#failed += 1;
      await sleep(interval);
    }
  }

  #ask(): Promise<boolean> {
    return new Promise(resolve => {
      const request = get({ host: '127.0.0.1', port: this.port, path: '/health', agent: this.#agent }, response => {
        response.resume();
        response.once('end', () => resolve(response.statusCode === 200));
      });
      request.setTimeout(patience, () => request.destroy());
      request.once('error', () => resolve(false));
      request.once('close', () => resolve(false));
    });
  }
}
