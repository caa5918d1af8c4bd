import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import type { UserPageQuery } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import { Ending } from '../../parts/ending.js';
import { Faulty } from '../../parts/faulty.js';
import { Outcome } from '../../parts/outcome.js';
import { PageHead } from '../../parts/page-head.js';
import { flagPath, groupPath, whyPath } from '../../parts/paths.js';
import { useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
import { Value } from '../../parts/value.js';
import { count, plural } from '../../words/numbers.js';
import type { Json } from '../../words/shapes.js';
import { valueText } from '../../words/values.js';
import { reasonNames } from '../../words/why.js';
import { SetAttributes, UserPage } from './documents.js';
import css from './users.module.css';

export interface UserScreenProps {
  readonly userId: string;
  readonly canEdit: boolean;
}

/** One user: what is stored, and what the flags answer. */
export function UserScreen({ userId, ...rest }: UserScreenProps): ReactNode {
  const [{ data, error }, ask] = useQuery({
    query: UserPage,
    variables: { userId },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  if (error !== undefined && data === undefined) {
    return <Faulty error={error} onRetry={refresh} />;
  }
  return (
    <>
      <nav className={css.crumbs} aria-label="Path">
        <Link href="/users">Users</Link>
        <span aria-hidden="true">/</span>
        <span>{userId}</span>
      </nav>
      <PageHead title={userId} />
      {data === undefined ? (
        <div className={css.bone} />
      ) : (
        <UserView user={data.user} userId={userId} onRefresh={refresh} {...rest} />
      )}
    </>
  );
}

type User = UserPageQuery['user'];

function UserView({ user, canEdit, onRefresh }: UserScreenProps & { user: User; onRefresh: () => void }): ReactNode {
  const now = useNow();
  return (
    <div className={css.columns}>
      <div>
        <section aria-labelledby="h-answers">
          <div className={css.cardHead}>
            <h2 id="h-answers">Answers now</h2>
            <span className={css.faint}>without attributes of tokens</span>
          </div>
          {user.features.length === 0 ? <p className={css.faint}>There is no flag yet.</p> : null}
          <ul className={css.answers}>
            {user.features.map(({ key, enabled, variant, reason, rule }) => (
              <li key={key}>
                <Link href={flagPath(key)}>{key}</Link>
                <span className={css.faint}>{reason === 'RULE' ? `rule ${rule}` : (reasonNames[reason] ?? '')}</span>
                <span className={css.then}>
                  <span className={enabled ? css.on : css.off}>{enabled ? 'On' : 'Off'}</span>
                  {typeof variant === 'string' && variant !== 'on' && variant !== 'off' ? (
                    <Value>{variant}</Value>
                  ) : null}
                </span>
                <Link className={css.why} href={whyPath(user.userId, key)}>
                  Why
                </Link>
              </li>
            ))}
          </ul>
        </section>
      </div>
      <aside className={css.rail} aria-label="Stored">
        <AttributesCard user={user} canEdit={canEdit} onRefresh={onRefresh} />
        <section className={css.card} aria-labelledby="h-groups">
          <div className={css.cardHead}>
            <h2 id="h-groups">Groups</h2>
          </div>
          {user.groups.length === 0 ? <p className={css.faint}>In no group.</p> : null}
          <ul className={css.plain}>
            {user.groups.map(group => (
              <li key={group}>
                <Link href={groupPath(group)}>{group}</Link>
              </li>
            ))}
          </ul>
        </section>
        <section className={css.card} aria-labelledby="h-overrides">
          <div className={css.cardHead}>
            <h2 id="h-overrides">Overrides</h2>
            <span className={css.faint}>{count(user.overrides.totalCount)}</span>
          </div>
          {user.overrides.totalCount === 0 ? <p className={css.faint}>Every answer follows from the rules.</p> : null}
          <ul className={css.plain}>
            {user.overrides.nodes.map(({ id, flag, enabled, variant, expiresAt }) => (
              <li key={id}>
                <Link href={flagPath(flag.key)}>{flag.key}</Link>
                <span className={css.then}>
                  <span className={enabled ? css.on : css.off}>{enabled ? 'On' : 'Off'}</span>
                  {typeof variant === 'string' ? <Value>{variant}</Value> : null}
                </span>
                <Ending className={css.faint} at={expiresAt} now={now} />
              </li>
            ))}
          </ul>
          {user.overrides.totalCount > user.overrides.nodes.length ? (
            <p className={css.faint}>
              {`The first ${count(user.overrides.nodes.length)} of ${plural(user.overrides.totalCount, 'override')}.`}
            </p>
          ) : null}
        </section>
      </aside>
    </div>
  );
}

function AttributesCard({
  user,
  canEdit,
  onRefresh,
}: {
  user: User;
  canEdit: boolean;
  onRefresh: () => void;
}): ReactNode {
  const [text, setText] = useState<string | null>(null);
  const [isNoObject, setNoObject] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const isOpen = text !== null;
  useLayoutEffect(() => {
    if (isOpen) field.current?.focus();
  }, [isOpen]);
  const commit = useCommit({ onDone: onRefresh });
  const entries = Object.entries(user.attributes as { readonly [name: string]: Json });
  const save = async () => {
    const attributes = read(text ?? '');
    setNoObject(attributes === null);
    if (attributes === null) return;
    const input = { userId: user.userId, attributes };
    if (await commit.send(`Saved the attributes of ${user.userId}.`, SetAttributes, input)) setText(null);
  };
  const cancel = () => {
    setText(null);
    setNoObject(false);
    commit.clear();
  };
  return (
    <section className={css.card} aria-labelledby="h-attributes">
      <div className={css.cardHead}>
        <h2 id="h-attributes">Attributes</h2>
        {canEdit && text === null ? (
          <span className={css.end}>
            <Button kind="link" onClick={() => setText(JSON.stringify(user.attributes, null, 2))}>
              Edit
            </Button>
          </span>
        ) : null}
      </div>
      {text === null ? (
        <>
          {entries.length === 0 ? <p className={css.faint}>None stored.</p> : null}
          <dl className={css.pairs}>
            {entries.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{valueText(value)}</dd>
              </div>
            ))}
          </dl>
        </>
      ) : (
        <>
          <textarea
            ref={field}
            className={css.json}
            aria-label="Attributes as JSON"
            rows={8}
            spellCheck={false}
            value={text}
            onChange={event => setText(event.target.value)}
          />
          <p className={css.fault} role="alert">
            {isNoObject ? 'Write an object, such as {"plan": "pro"}.' : commit.refusal}
          </p>
          <div className={css.actions}>
            <Button kind="primary" busy={commit.isBusy} onClick={save}>
              Save attributes
            </Button>
            <Button onClick={cancel}>Cancel</Button>
          </div>
        </>
      )}
      <Outcome commit={commit} />
    </section>
  );
}

/** Null: it is no object. */
function read(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
