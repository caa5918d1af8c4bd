import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { Gauge, Histogram, type Registry } from 'prom-client';
import heapSize from 'prom-client/lib/metrics/heapSizeAndUsed.js';
import heapSpaces from 'prom-client/lib/metrics/heapSpacesSizeAndUsed.js';
import residentMemory from 'prom-client/lib/metrics/osMemoryHeap.js';
import cpu from 'prom-client/lib/metrics/processCpuTotal.js';
import maxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import openFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import resources from 'prom-client/lib/metrics/processResources.js';
import startTime from 'prom-client/lib/metrics/processStartTime.js';
import version from 'prom-client/lib/metrics/version.js';

/** Milliseconds between looks at the event loop's lag. */
const lagResolution = 20;

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/**
 * Metrics of the process as prom-client's `collectDefaultMetrics` has them, under the same names, so that dashboards fit.
 * That function leaves two observers running for ever; here they are stopped with the server.
 *
 * @returns a function that stops it.
 */
export function collectProcessMetrics(registry: Registry): () => void {
  for (const register of [
    cpu,
    startTime,
    residentMemory,
    openFileDescriptors,
    maxFileDescriptors,
    resources,
    heapSize,
    heapSpaces,
    version,
  ]) {
    register(registry);
  }
  const stops = [watchEventLoop(registry), watchGarbageCollector(registry)];
  return () => {
    for (const stop of stops) stop();
  };
}

function watchEventLoop(registry: Registry): () => void {
  const histogram = monitorEventLoopDelay({ resolution: lagResolution });
  histogram.enable();
  const registers = [registry];
  const values: Record<string, () => number> = {
    min: () => histogram.min,
    max: () => histogram.max,
    mean: () => histogram.mean,
    p50: () => histogram.percentile(50),
    p90: () => histogram.percentile(90),
    p99: () => histogram.percentile(99),
  };
  for (const [name, value] of Object.entries(values)) {
    new Gauge({
      name: `nodejs_eventloop_lag_${name}_seconds`,
      help: `The lag of the event loop since the last scrape: ${name}.`,
      registers,
      collect() {
        // Nothing has been seen yet: no lag is a better answer than the bounds of an empty histogram.
        this.set(histogram.count === 0 ? 0 : value() / 1e9);
      },
    });
  }
  // Registered last: the others have read the histogram when this one resets it.
  new Gauge({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'The lag of the event loop at the scrape.',
    registers,
    async collect() {
      histogram.reset();
      const startedAt = performance.now();
      await new Promise(resolve => setImmediate(resolve));
      this.set((performance.now() - startedAt) / 1_000);
    },
  });
  return () => histogram.disable();
}

function watchGarbageCollector(registry: Registry): () => void {
  const durations = new Histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'How long garbage collections took, by kind.',
    labelNames: ['kind'],
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
    registers: [registry],
  });
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
      const { detail, duration } = entry as unknown as { readonly detail: { kind: number }; readonly duration: number };
      const kind = gcKinds[detail.kind] ?? 'other';
      durations.observe({ kind }, duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
