import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import type { KeyRowFragment } from '../../data/generated/graphql.js';
import { useWho } from '../../data/who.js';
import { Bones } from '../../parts/bones.js';
import { Button } from '../../parts/button.js';
import { ConfirmDialog } from '../../parts/confirm-dialog.js';
import { Empty } from '../../parts/empty.js';
import { Faulty } from '../../parts/faulty.js';
import { PageHead } from '../../parts/page-head.js';
import { useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
import { plural } from '../../words/numbers.js';
import { ending, exact, relative } from '../../words/times.js';
import { KeysPage, RevokeKey } from './documents.js';
import css from './keys.module.css';
import { NewKey } from './new-key.js';

/** The credentials of programs. */
export function KeysScreen(): ReactNode {
  const { canEdit } = useWho();
  const [isAdding, setAdding] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    // At once, since a disabled button takes no focus.
    flushSync(() => setAdding(false));
    button.current?.focus();
  };
  return (
    <>
      <PageHead title="Keys">
        {canEdit ? (
          <Button ref={button} kind="primary" icon="plus" disabled={isAdding} onClick={() => setAdding(true)}>
            New key
          </Button>
        ) : null}
      </PageHead>
      <p className={css.lead}>
        An API key is the credential of a program: a backend, a build server, a support desk. Each has a role, and ends
        when it is revoked.
      </p>
      {isAdding ? <NewKey onClose={close} /> : null}
      <Keys after={null} onEmpty={() => button.current?.focus()} />
    </>
  );
}

interface KeysProps {
  readonly after: string | null;
  /** The last row that had the focus is gone. */
  readonly onEmpty: () => void;
}

/** A page of keys, and those after it that somebody asked for. */
function Keys({ after, onEmpty }: KeysProps): ReactNode {
  const [isMore, setMore] = useState(false);
  const [{ data, error, fetching }, ask] = useQuery({ query: KeysPage, variables: { after } });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  if (data === undefined) {
    if (error !== undefined) return <Faulty error={error} onRetry={refresh} />;
    return fetching ? <Bones rows={4} /> : null;
  }
  const { nodes, pageInfo } = data.apiKeys;
  if (nodes.length === 0 && after === null) {
    return <Empty title="There is no API key yet.">Make one for each program, so that it can be revoked alone.</Empty>;
  }
  const [live, revoked] = [
    nodes.filter(({ revokedAt }) => revokedAt == null),
    nodes.filter(key => key.revokedAt != null),
  ];
  return (
    <>
      <Table keys={live} label="API keys" onChange={refresh} onEmpty={onEmpty} />
      {revoked.length === 0 ? null : (
        <details className={css.revoked}>
          <summary>{plural(revoked.length, 'revoked key')}</summary>
          <Table keys={revoked} label="Revoked API keys" onChange={refresh} onEmpty={onEmpty} />
        </details>
      )}
      {!pageInfo.hasNextPage || pageInfo.endCursor == null ? null : isMore ? (
        <Keys after={pageInfo.endCursor} onEmpty={onEmpty} />
      ) : (
        <p className={css.more}>
          <Button onClick={() => setMore(true)}>Show older keys</Button>
        </p>
      )}
    </>
  );
}

interface TableProps {
  readonly keys: readonly KeyRowFragment[];
  readonly label: string;
  readonly onChange: () => void;
  readonly onEmpty: () => void;
}

/** The focus stays among the rows when the one that has it goes, by whomever it was revoked. */
function useFocusInRows(keys: readonly KeyRowFragment[], onEmpty: () => void) {
  const rows = useRef<HTMLTableSectionElement>(null);
  const focused = useRef<{ readonly id: string; readonly index: number } | null>(null);
  useLayoutEffect(() => {
    const last = focused.current;
    if (last === null || keys.some(({ id }) => id === last.id)) return;
    focused.current = null;
    // The reader has gone on to another place.
    if (document.activeElement !== document.body) return;
    const buttons = rows.current?.querySelectorAll('button') ?? [];
    const next = buttons[Math.min(last.index, buttons.length - 1)];
    if (next === undefined) onEmpty();
    else next.focus();
  });
  const follow = (id: string, index: number) => ({
    onFocus: () => {
      focused.current = { id, index };
    },
  });
  return { rows, follow };
}

function Table({ keys, label, onChange, onEmpty }: TableProps): ReactNode {
  const { canEdit } = useWho();
  const now = useNow();
  const [revoking, setRevoking] = useState<KeyRowFragment | null>(null);
  const commit = useCommit({ onDone: onChange });
  const { rows, follow } = useFocusInRows(keys, onEmpty);
  if (keys.length === 0) return null;
  return (
    <>
      <p className={css.fault} role="alert">
        {commit.fault}
      </p>
      <table className={css.table} aria-label={label}>
        <thead>
          <tr>
            <th>Name</th>
            <th>Role</th>
            <th>Made</th>
            <th>Last used</th>
            <th>Expires</th>
            <th>
              <span className={css.hidden}>Revoke</span>
            </th>
          </tr>
        </thead>
        <tbody ref={rows}>
          {keys.map((key, index) => (
            <tr key={key.id} {...follow(key.id, index)}>
              <th scope="row">
                <span className={css.name}>{key.name}</span>
                <span className={css.prefix}>{key.prefix}…</span>
              </th>
              <td data-label="Role">{roleWords[key.role]}</td>
              <td data-label="Made">
                <When at={key.createdAt} now={now} />
                {key.createdBy == null ? null : (
                  <Link className={css.by} href={`/history?kind=keys&by=${encodeURIComponent(key.createdBy)}`}>
                    {key.createdBy}
                  </Link>
                )}
              </td>
              <td data-label="Last used">
                {key.lastUsedAt == null ? 'Never' : <When at={key.lastUsedAt} now={now} />}
              </td>
              <td data-label="Expires">
                <Ends apiKey={key} now={now} />
              </td>
              <td className={css.act}>
                {canEdit && key.revokedAt == null ? (
                  <Button small busy={commit.isBusy} onClick={() => setRevoking(key)}>
                    Revoke<span className={css.hidden}> {key.name}</span>
                  </Button>
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {revoking === null ? null : (
        <ConfirmDialog
          title={`Revoke ${revoking.name}?`}
          environment={null}
          action="Revoke"
          isFinal
          onCancel={() => setRevoking(null)}
          onConfirm={() => {
            setRevoking(null);
            void commit.send(`Revoked ${revoking.name}.`, RevokeKey, { id: revoking.id });
          }}
        >
          {revoking.lastUsedAt == null
            ? 'It was never used.'
            : `It was last used ${relative(revoking.lastUsedAt, now)}. Programs with it are refused within seconds, and their connections end.`}
        </ConfirmDialog>
      )}
    </>
  );
}

export const roleWords = { ADMIN: 'Admin', READER: 'Reader', SERVICE: 'Service' } as const;

function When({ at, now }: { readonly at: string; readonly now: number }): ReactNode {
  return (
    <time dateTime={at} title={exact(at)}>
      {relative(at, now)}
    </time>
  );
}

function Ends({ apiKey, now }: { readonly apiKey: KeyRowFragment; readonly now: number }): ReactNode {
  const { revokedAt, expiresAt } = apiKey;
  if (revokedAt != null) {
    return (
      <span className={css.over}>
        Revoked <When at={revokedAt} now={now} />
      </span>
    );
  }
  if (expiresAt == null) return 'Never';
  const hasEnded = Date.parse(expiresAt) <= now;
  return (
    <time className={hasEnded ? css.over : undefined} dateTime={expiresAt} title={exact(expiresAt)}>
      {hasEnded ? `Expired: ${ending(expiresAt, now)}` : relative(expiresAt, now)}
    </time>
  );
}
