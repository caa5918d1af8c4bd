import { lazy, type ReactNode } from 'react';
import { Route, Switch, useLocation, useParams, useSearchParams } from 'wouter';
import { useConnection } from '../data/connection.js';
import { useWho } from '../data/who.js';
import { Empty } from '../parts/empty.js';
import type { IconName } from '../parts/icon.js';
import { groupPath, nameIn, userPath, whyPath } from '../parts/paths.js';
import { FlagsScreen } from '../screens/flags/flags-screen.js';
import type { Question } from '../screens/why/question.js';
import { isObject, type Json } from '../words/shapes.js';

// The list is a part of the first script: most people come for it, and most of it is part of other screens too.
const FlagPage = lazy(async () => ({ default: (await import('../screens/flag/flag-screen.js')).FlagScreen }));
const History = lazy(async () => ({ default: (await import('../screens/history/history-screen.js')).HistoryScreen }));
const Usage = lazy(async () => ({ default: (await import('../screens/usage/usage-screen.js')).UsageScreen }));
const Keys = lazy(async () => ({ default: (await import('../screens/keys/keys-screen.js')).KeysScreen }));

const Why = lazy(async () => ({ default: (await import('../screens/why/why-screen.js')).WhyScreen }));
const Users = lazy(async () => ({ default: (await import('../screens/users/users-screen.js')).UsersScreen }));
const UserPage = lazy(async () => ({ default: (await import('../screens/users/user-screen.js')).UserScreen }));
const Groups = lazy(async () => ({ default: (await import('../screens/groups/groups-screen.js')).GroupsScreen }));
const GroupPage = lazy(async () => ({ default: (await import('../screens/groups/group-screen.js')).GroupScreen }));

/** A place that the navigation names. */
export interface Place {
  readonly path: string;
  /** The addresses at and below which one is there. */
  readonly roots: readonly string[];
  readonly name: string;
  readonly icon: IconName;
  /** The key after `g` that leads there. */
  readonly shortcut: string;
}

export const places: readonly Place[] = [
  { path: '/', roots: ['/', '/flags'], name: 'Flags', icon: 'flag', shortcut: 'f' },
  { path: '/users', roots: ['/users', '/groups'], name: 'Users and groups', icon: 'users', shortcut: 'u' },
  { path: '/why', roots: ['/why'], name: 'Why', icon: 'why', shortcut: 'w' },
  { path: '/history', roots: ['/history'], name: 'History', icon: 'history', shortcut: 'h' },
  { path: '/usage', roots: ['/usage'], name: 'Usage', icon: 'usage', shortcut: 's' },
  { path: '/keys', roots: ['/keys'], name: 'Keys', icon: 'key', shortcut: 'k' },
];

/** The name at the end of the address. The router would decode it by half: `ann%40example.com` is none of our users. */
function useNamed(): string {
  // Renders again when the address changes.
  useParams();
  return nameIn(location.pathname);
}

function Flag(): ReactNode {
  const key = useNamed();
  const { canEdit } = useWho();
  const isLive = useConnection().state === 'live';
  return <FlagPage key={key} flagKey={key} canEdit={canEdit} isLive={isLive} />;
}

/** The user, the flag and the attributes that are tried stand in the address. */
function WhyPlace(): ReactNode {
  const { canEdit } = useWho();
  const isLive = useConnection().state === 'live';
  const [params] = useSearchParams();
  const [, go] = useLocation();
  const question = {
    userId: params.get('user') ?? '',
    flagKey: params.get('flag') ?? '',
    attributes: tried(params.get('with')),
  };
  const onAsk = ({ userId, flagKey, attributes }: Question) =>
    go(
      `${whyPath(userId, flagKey)}${attributes === null ? '' : `&with=${encodeURIComponent(JSON.stringify(attributes))}`}`,
    );
  return <Why question={question} canEdit={canEdit} isLive={isLive} onAsk={onAsk} />;
}

function tried(text: string | null): Record<string, unknown> | null {
  try {
    const value: unknown = text === null ? null : JSON.parse(text);
    return isObject(value as Json) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function UsersPlace(): ReactNode {
  const [params, setParams] = useSearchParams();
  const [, go] = useLocation();
  const id = params.get('id');
  if (id !== null) return <OneUser id={id} />;
  const onSearch = (search: string) => setParams(search === '' ? {} : { search }, { replace: true });
  return <Users search={params.get('search') ?? ''} onSearch={onSearch} onOpen={userId => go(userPath(userId))} />;
}

function UserPlace(): ReactNode {
  return <OneUser id={useNamed()} />;
}

function OneUser({ id }: { readonly id: string }): ReactNode {
  return <UserPage key={id} userId={id} canEdit={useWho().canEdit} />;
}

function GroupsPlace(): ReactNode {
  const [params] = useSearchParams();
  const [, go] = useLocation();
  const { canEdit } = useWho();
  const name = params.get('name');
  if (name !== null) return <OneGroup name={name} />;
  return <Groups canEdit={canEdit} onOpen={group => go(groupPath(group))} />;
}

function GroupPlace(): ReactNode {
  return <OneGroup name={useNamed()} />;
}

function OneGroup({ name }: { readonly name: string }): ReactNode {
  return <GroupPage key={name} name={name} canEdit={useWho().canEdit} />;
}

/** The screen of the present address. */
export function Screens(): ReactNode {
  return (
    <Switch>
      <Route path="/" component={FlagsScreen} />
      <Route path="/flags/:key" component={Flag} />
      <Route path="/why" component={WhyPlace} />
      <Route path="/users" component={UsersPlace} />
      <Route path="/users/:id" component={UserPlace} />
      <Route path="/groups" component={GroupsPlace} />
      <Route path="/groups/:name" component={GroupPlace} />
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
