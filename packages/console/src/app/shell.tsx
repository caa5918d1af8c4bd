import { type ReactNode, Suspense, useLayoutEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { useConnection } from '../data/connection.js';
import { dismissReason, signOut, useSession } from '../data/session.js';
import { useWho } from '../data/who.js';
import { Button } from '../parts/button.js';
import { Icon } from '../parts/icon.js';
import { clock, exact } from '../words/times.js';
import { initials } from '../words/values.js';
import { KeyHelp } from './key-help.js';
import { places, Screens } from './screens.js';
import css from './shell.module.css';
import { useShortcuts } from './shortcuts.js';

/** What stands around every screen: where one is, who one is, and whether the console hears of changes. */
export function Shell({ takesFocus }: { readonly takesFocus: boolean }): ReactNode {
  const main = useRef<HTMLElement>(null);
  const [path] = useLocation();
  const isHelpOpen = useShortcuts();
  const first = useRef(!takesFocus);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the focus moves when the address does
  useLayoutEffect(() => {
    // Whoever opens the console begins at its top. Whoever has just signed in has lost the field with the focus.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [path]);
  return (
    <>
      <button className={css.skip} type="button" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <div className={css.app}>
        <header className={css.topbar}>
          <Environment />
          <Live />
        </header>
        <aside className={css.side} aria-label="Console">
          <Link className={css.brand} href="/" aria-label="Halyard, all flags">
            <Logo />
            <span>Halyard</span>
          </Link>
          <Environment />
          <Navigation className={css.nav} />
          <div className={css.foot}>
            <Live />
            <Person />
          </div>
        </aside>
        <main className={css.main} id="main" ref={main} tabIndex={-1}>
          <div className={css.notices}>
            <Refused onDismiss={() => main.current?.focus()} />
            <Offline />
          </div>
          <Suspense fallback={null}>
            <Screens />
          </Suspense>
        </main>
        <Navigation className={css.bottom} />
      </div>
      <KeyHelp isOpen={isHelpOpen.value} onClose={isHelpOpen.close} />
    </>
  );
}

function Navigation({ className }: { readonly className: string | undefined }): ReactNode {
  const [path] = useLocation();
  return (
    <nav className={className} aria-label="Screens">
      {places.map(({ path: place, name, icon, roots }) => (
        <Link key={place} href={place} aria-current={isBelow(path, roots) ? 'page' : undefined} title={name}>
          <Icon name={icon} />
          <span>{name}</span>
        </Link>
      ))}
    </nav>
  );
}

function isBelow(path: string, roots: readonly string[]): boolean {
  return roots.some(root => path === root || (root !== '/' && path.startsWith(`${root}/`)));
}

function Environment(): ReactNode {
  const { server } = useWho();
  return (
    <div className={css.env}>
      <span className={css.dot} />
      <span>{server.environment ?? 'Halyard'}</span>
      {server.isProtected ? (
        <span
          className={css.lock}
          role="img"
          aria-label="Protected: changes ask for confirmation"
          title="Protected: changes ask for confirmation"
        >
          <Icon name="lock" />
        </span>
      ) : null}
    </div>
  );
}

const stateWords = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' } as const;

function Live(): ReactNode {
  const { state } = useConnection();
  return (
    <div className={css.live} data-state={state}>
      <span className={css.liveDot} />
      <span>{stateWords[state]}</span>
    </div>
  );
}

/** Why a code in the address was not taken, for somebody who is signed in already. */
function Refused({ onDismiss }: { readonly onDismiss: () => void }): ReactNode {
  const { reason } = useSession();
  return (
    <div role="alert">
      {reason === null ? null : (
        <div className={css.notice}>
          <Icon name="warn" />
          <span>{reason}</span>
          <Button
            kind="plain"
            icon="close"
            label="Dismiss"
            small
            onClick={() => {
              dismissReason();
              onDismiss();
            }}
          />
        </div>
      )}
    </div>
  );
}

/** Screens keep what they show while nothing new comes. */
function Offline(): ReactNode {
  const connection = useConnection();
  return (
    <div role="status">
      {connection.state === 'reconnecting' ? (
        <div className={css.notice}>
          <Icon name="warn" />
          <span>
            <b title={exact(connection.since)}>Showing what was true at {clock(connection.since)}.</b> Reconnecting.
          </span>
        </div>
      ) : null}
    </div>
  );
}

const roleWords: Readonly<Record<string, string>> = {
  ADMIN: 'Admin',
  READER: 'Reader: sees everything, changes nothing',
};

function Person(): ReactNode {
  const { viewer } = useWho();
  const name = viewer.userId ?? 'An API key or token without a name';
  return (
    <div className={css.who}>
      <span className={css.avatar} aria-hidden="true">
        {viewer.userId == null ? '?' : initials(viewer.userId)}
      </span>
      <span className={css.person}>
        <span title={name}>{name}</span>
        <span>{roleWords[viewer.role] ?? viewer.role}</span>
      </span>
      <Button kind="plain" icon="leave" label="Sign out" small onClick={() => signOut()} />
    </div>
  );
}

export function Logo(): ReactNode {
  return (
    <svg className={css.logo} viewBox="0 0 20 20" aria-hidden="true">
      <path d="M4.5 18V2M4.5 3h11l-3 3.75 3 3.75h-11" />
      <path d="M15.5 14.5c-1.8 0-1.8 2-3.7 2s-1.8-2-3.7-2" strokeOpacity=".55" />
    </svg>
  );
}
