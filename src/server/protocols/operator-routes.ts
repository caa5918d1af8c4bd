import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Route } from '../http/route.js';
import { sendJson } from '../http/send.js';

/** Whether the server can do its work; `reason` says why not. Other members are shown too. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string;
  readonly [detail: string]: unknown;
}

export const metricsPath = '/metrics';

/** Whether the process lives, and whether it can do its work. A rejection of `readiness` counts as not ready. */
export function createHealthRoutes(readiness: () => Readiness | Promise<Readiness>, log: Logger): readonly Route[] {
  async function ask(): Promise<Readiness> {
    try {
      return await readiness();
    } catch (error) {
      log.error({ err: error }, 'The readiness could not be determined.');
      return { ready: false, reason: 'The readiness could not be determined.' };
    }
  }
  return [
    {
      path: '/health',
      method: 'read',
      caller: 'operator',
      handle: ({ response }) => sendJson(response, 200, { status: 'ok' }),
    },
    {
      path: '/ready',
      method: 'read',
      caller: 'operator',
      async handle({ response }) {
        const readiness = await ask();
        sendJson(response, readiness.ready ? 200 : 503, readiness);
      },
    },
  ];
}

/** The endpoint for Prometheus. */
export function createMetricsRoute(registry: Registry): Route {
  let rendering: Promise<string> | null = null;

  /** Requests that come at the same time share one rendering. */
  function render(): Promise<string> {
    rendering ??= registry.metrics().finally(() => {
      rendering = null;
    });
    return rendering;
  }

  return {
    path: metricsPath,
    method: 'read',
    caller: 'operator',
    async handle({ response }) {
      const headers = { 'content-type': registry.contentType, 'cache-control': 'no-store' };
      if (response.req.method === 'HEAD') {
        response.writeHead(200, headers).end();
        return;
      }
      const text = await render();
      response.writeHead(200, headers).end(text);
    },
  };
}
