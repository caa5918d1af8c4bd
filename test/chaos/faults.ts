import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosDatabase } from './database.js';
import type { NodeProcess } from './node-process.js';
import type { Random } from './random.js';
import type { Viewer } from './viewer.js';

/** What can break. */
export interface Stage {
  readonly nodes: readonly NodeProcess[];
  readonly database: ChaosDatabase;
  readonly viewers: readonly Viewer[];
  /** One fault of the database at a time: two would only hide one another. */
  exclusively(work: () => Promise<void>): Promise<void>;
  /** This viewer leaves, and another one comes in its place. */
  replace(viewer: Viewer): Promise<void>;
}

export interface FaultKind {
  readonly name: string;
  readonly weight: number;
  readonly draw: (random: Random) => (stage: Stage) => Promise<void>;
}

function share(random: Random, part: number): (stage: Stage) => Viewer[] {
  const chosen = random.fork();
  return ({ viewers }) => chosen.some(viewers, Math.ceil(viewers.length * part));
}

function nodeOf(random: Random): (stage: Stage) => NodeProcess {
  const index = random.integer(0, 1);
  return ({ nodes }) => nodes[index % nodes.length] as NodeProcess;
}

export const faultKinds: readonly FaultKind[] = [
  {
    name: 'node killed and started again',
    weight: 3,
    draw: random => {
      const node = nodeOf(random);
      const downtime = random.integer(0, 1_000);
      return async stage => {
        await node(stage).kill();
        await sleep(downtime);
        await node(stage).ensureUp();
      };
    },
  },
  {
    name: 'node stands still',
    weight: 2,
    draw: random => {
      const node = nodeOf(random);
      const time = random.integer(200, 2_500);
      return async stage => {
        node(stage).pause();
        await sleep(time);
        node(stage).resume();
      };
    },
  },
  {
    name: 'PostgreSQL shut down and started again',
    weight: 1,
    draw: random => {
      const downtime = random.integer(0, 1_500);
      return stage => stage.exclusively(() => stage.database.restart('shutdown', downtime));
    },
  },
  {
    name: 'PostgreSQL crashed and started again',
    weight: 1,
    draw: random => {
      const downtime = random.integer(0, 1_500);
      return stage => stage.exclusively(() => stage.database.restart('crash', downtime));
    },
  },
  {
    name: 'PostgreSQL stands still',
    weight: 1.5,
    draw: random => {
      // Now and then for longer than a statement may take.
      const time = random.chance(0.1) ? 12_500 : random.integer(300, 3_000);
      return stage =>
        stage.exclusively(async () => {
          await stage.database.freeze();
          await sleep(time);
          stage.database.thaw();
        });
    },
  },
  {
    name: 'listening connections cut',
    weight: 3,
    draw: () => stage => stage.exclusively(async () => void (await stage.database.cutListeners())),
  },
  {
    name: 'every connection to the database cut',
    weight: 2,
    draw: () => stage => stage.exclusively(async () => void (await stage.database.cutAll())),
  },
  {
    name: 'listening connections half-open',
    weight: 1.5,
    draw: random => {
      const time = random.integer(1_000, 4_000);
      return stage =>
        stage.exclusively(async () => {
          await stage.database.freezeListeners();
          await sleep(time);
          stage.database.thaw();
        });
    },
  },
  {
    name: 'readers stalled and returned',
    weight: 4,
    draw: random => {
      const chosen = share(random, 0.1);
      const time = random.integer(500, 4_000);
      return async stage => {
        const stalled = chosen(stage);
        for (const viewer of stalled) viewer.pause();
        await sleep(time);
        for (const viewer of stalled) viewer.resume();
      };
    },
  },
  {
    name: 'viewers dropped',
    weight: 4,
    draw: random => {
      const chosen = share(random, 0.2);
      return async stage => {
        for (const viewer of chosen(stage)) viewer.drop();
      };
    },
  },
  {
    name: 'viewers left and others came',
    weight: 3,
    draw: random => {
      const chosen = share(random, 0.1);
      return async stage => void (await Promise.all(chosen(stage).map(viewer => stage.replace(viewer))));
    },
  },
];
