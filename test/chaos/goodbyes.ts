import { until } from '../support/wait.js';
import type { NodeProcess } from './node-process.js';
import { type Viewer, WsViewer } from './viewer.js';

/** How everybody leaves. */
export interface Goodbye {
  readonly name: string;
  readonly leave: (viewers: readonly Viewer[], comeAndGo: () => Viewer) => Promise<void>;
}

export const goodbyes: readonly Goodbye[] = [
  { name: 'unsubscribed', leave: async viewers => void (await Promise.all(viewers.map(viewer => viewer.stop()))) },
  {
    name: 'cut',
    leave: async viewers => {
      for (const viewer of viewers) viewer.vanish();
    },
  },
  {
    name: 'silent',
    leave: async viewers => {
      for (const viewer of viewers) {
        // The little that a stream of events is sent fits into the buffers of the operating system.
        if (viewer instanceof WsViewer) viewer.fallSilent();
        else viewer.vanish();
      }
    },
  },
  {
    name: 'hardly come',
    leave: async (viewers, comeAndGo) => {
      const hasty = viewers.map(comeAndGo);
      for (const viewer of viewers) viewer.vanish();
      for (const [index, viewer] of hasty.entries()) setTimeout(() => viewer.vanish(), index % 20);
      await new Promise(resolve => setTimeout(resolve, 20));
      await Promise.all(hasty.map(viewer => viewer.stop()));
    },
  },
];

/** Connections of clients that ask and may come back, and whose they are. */
const mayStay = ['connections', 'addresses'];

/** @throws Error naming what a node still holds although nobody is there any more. */
export async function assertNobodyIsLeft(node: NodeProcess): Promise<void> {
  let held: [string, number][] = [];
  const isEmpty = async () => {
    const { subscribers, load } = await node.sample('counts');
    held = Object.entries({ ...load, subscribers }).filter(([name, count]) => !mayStay.includes(name) && count > 0);
    return load !== null && held.length === 0;
  };
  await until(isEmpty, 'nothing is held', 45_000).catch(() => {
    throw new Error(`Everybody has left, but ${node.url} holds ${JSON.stringify(Object.fromEntries(held))}.`);
  });
}
