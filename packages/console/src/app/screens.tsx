import { lazy, type ReactNode } from 'react';
import { Route, Switch, useParams } from 'wouter';
import { useConnection } from '../data/connection.js';
import { useWho } from '../data/who.js';
import { Empty } from '../parts/empty.js';
import type { IconName } from '../parts/icon.js';

const Flags = lazy(async () => ({ default: (await import('../screens/flags/flags-screen.js')).FlagsScreen }));
const FlagPage = lazy(async () => ({ default: (await import('../screens/flag/flag-screen.js')).FlagScreen }));
const History = lazy(async () => ({ default: (await import('../screens/history/history-screen.js')).HistoryScreen }));
const Usage = lazy(async () => ({ default: (await import('../screens/usage/usage-screen.js')).UsageScreen }));
const Keys = lazy(async () => ({ default: (await import('../screens/keys/keys-screen.js')).KeysScreen }));

/** A place that the navigation names. */
export interface Place {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  /** The key after `g` that leads there. */
  readonly shortcut: string;
}

export const places: readonly Place[] = [
  { path: '/', name: 'Flags', icon: 'flag', shortcut: 'f' },
  { path: '/history', name: 'History', icon: 'history', shortcut: 'h' },
  { path: '/usage', name: 'Usage', icon: 'usage', shortcut: 's' },
  { path: '/keys', name: 'Keys', icon: 'key', shortcut: 'k' },
];

function Flag(): ReactNode {
  const { key = '' } = useParams<{ key: string }>();
  const { canEdit, server } = useWho();
  const isLive = useConnection().state === 'live';
  return (
    <FlagPage
      key={key}
      flagKey={decodeURIComponent(key)}
      canEdit={canEdit}
      isLive={isLive}
      environment={server.isProtected ? (server.environment ?? null) : null}
    />
  );
}

/** The screen of the present address. */
export function Screens(): ReactNode {
  return (
    <Switch>
      <Route path="/" component={Flags} />
      <Route path="/flags/:key" component={Flag} />
      <Route path="/history" component={History} />
      <Route path="/usage" component={Usage} />
      <Route path="/keys" component={Keys} />
      <Route>
        <Empty title="Nothing is at this address.">
          It may be of another version of the console. <a href="./">All flags</a>
        </Empty>
      </Route>
    </Switch>
  );
}
