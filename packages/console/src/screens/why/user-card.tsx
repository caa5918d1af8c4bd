import { type ReactNode, useState } from 'react';
import type { WhyPageQuery } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import type { Json } from '../../words/shapes.js';
import { valueText } from '../../words/values.js';
import type { Question } from './question.js';
import css from './why.module.css';

export interface UserCardProps {
  readonly user: WhyPageQuery['user'];
  readonly question: Question;
  readonly onAsk: (question: Question) => void;
}

/** What the server knows of the user, or the attributes that are tried in place of it. */
export function UserCard({ user, question, onAsk }: UserCardProps): ReactNode {
  const [text, setText] = useState<string | null>(null);
  const shown = Object.entries((question.attributes ?? user.attributes) as { readonly [name: string]: Json });
  const parsed = text === null ? null : read(text);
  return (
    <section className={css.card} aria-labelledby="h-user">
      <div className={css.cardHead}>
        <h2 id="h-user">User</h2>
        <span className={css.end}>
          <Button
            kind="link"
            onClick={() => setText(text === null ? JSON.stringify(Object.fromEntries(shown), null, 2) : null)}
          >
            {text === null ? 'Try other attributes' : 'Cancel'}
          </Button>
        </span>
      </div>
      {text === null ? (
        <dl className={css.pairs}>
          {shown.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className={css.mono}>{valueText(value)}</dd>
            </div>
          ))}
          <div>
            <dt>groups</dt>
            <dd className={css.mono}>{user.groups.length === 0 ? 'none' : user.groups.join(', ')}</dd>
          </div>
        </dl>
      ) : (
        <>
          <textarea
            className={css.json}
            aria-label="Attributes as JSON"
            aria-invalid={parsed === null}
            rows={8}
            spellCheck={false}
            value={text}
            onChange={event => setText(event.target.value)}
          />
          <p className={css.fault} role="status">
            {parsed === null ? 'Write an object, such as {"plan": "pro"}.' : ''}
          </p>
          <div className={css.actions}>
            <Button
              kind="primary"
              disabled={parsed === null}
              onClick={() => {
                onAsk({ ...question, attributes: parsed });
                setText(null);
              }}
            >
              Try
            </Button>
          </div>
        </>
      )}
      {question.attributes !== null && text === null ? (
        <p className={css.tried}>
          These are tried, not stored.{' '}
          <Button kind="link" onClick={() => onAsk({ ...question, attributes: null })}>
            Use what is stored
          </Button>
        </p>
      ) : null}
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
