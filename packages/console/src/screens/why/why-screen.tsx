import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useQuery } from 'urql';
import type { WhyPageQuery } from '../../data/generated/graphql.js';
import { Button } from '../../parts/button.js';
import { Empty } from '../../parts/empty.js';
import { PageHead } from '../../parts/page-head.js';
import { SentenceText } from '../../parts/sentence-text.js';
import { count } from '../../words/numbers.js';
import { exact } from '../../words/times.js';
import { verdict } from '../../words/why.js';
import { FlagKeys, WhyPage } from './documents.js';
import { OverrideCard } from './override-card.js';
import type { Question } from './question.js';
import { Steps } from './steps.js';
import { UserCard } from './user-card.js';
import { WatchCard } from './watch-card.js';
import css from './why.module.css';

export interface WhyScreenProps {
  readonly question: Question;
  readonly canEdit: boolean;
  readonly isLive: boolean;
  readonly onAsk: (question: Question) => void;
}

/** Why one user gets one answer. */
export function WhyScreen({ question, canEdit, isLive, onAsk }: WhyScreenProps): ReactNode {
  const isAsked = question.userId !== '' && question.flagKey !== '';
  const context = {
    userId: question.userId,
    ...(question.attributes === null ? {} : { attributes: question.attributes }),
  };
  const [{ data, error, fetching }, ask] = useQuery({
    query: WhyPage,
    variables: { key: question.flagKey, userId: question.userId, context },
    pause: !isAsked,
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const flag = data?.flag;
  const fault = error?.graphQLErrors[0]?.message ?? (error === undefined ? null : 'The server does not answer.');
  return (
    <>
      <PageHead title="Why">
        {flag ? (
          <span className={css.live}>
            {isLive ? <span className={css.dot} /> : null}
            {`${isLive ? 'Live, revision' : 'Revision'} ${count(flag.explain.revision)}`}
          </span>
        ) : null}
      </PageHead>
      <AskForm key={`${question.userId} ${question.flagKey}`} question={question} onAsk={onAsk} onAgain={refresh} />
      {fault !== null && isAsked ? (
        <p className={css.fault} role="alert">
          {fault} <Button onClick={refresh}>Try again</Button>
        </p>
      ) : null}
      {!isAsked ? (
        <Empty title="Why does a user get an answer?">Name a user and a flag, and see each step that decided.</Empty>
      ) : null}
      {isAsked && flag === null && !fetching ? (
        <Empty title={`No flag has the key ${question.flagKey}.`}>Choose another.</Empty>
      ) : null}
      {isAsked && flag && data ? (
        <Answer data={data} flag={flag} question={question} canEdit={canEdit} onAsk={onAsk} onRefresh={refresh} />
      ) : null}
    </>
  );
}

type Flag = NonNullable<WhyPageQuery['flag']>;

interface AnswerProps {
  readonly data: WhyPageQuery;
  readonly flag: Flag;
  readonly question: Question;
  readonly canEdit: boolean;
  readonly onAsk: (question: Question) => void;
  readonly onRefresh: () => void;
}

function Answer({ data, flag, question, canEdit, onAsk, onRefresh }: AnswerProps): ReactNode {
  const { explain } = flag;
  useChanged(flag.version, onRefresh);
  return (
    <div className={css.columns}>
      <div>
        <div className={css.answer}>
          <span className={explain.enabled ? css.on : css.off}>{explain.enabled ? 'On' : 'Off'}</span>
          <p>
            <SentenceText parts={verdict(question.userId, flag.name, explain)} />
          </p>
        </div>
        <h2 className={css.hidden}>Steps</h2>
        <Steps explanation={explain} ruleCount={flag.rules.length} />
      </div>
      <aside className={css.rail} aria-label="User">
        <UserCard user={data.user} question={question} onAsk={onAsk} />
        {canEdit ? (
          <OverrideCard
            userId={question.userId}
            flagKey={flag.key}
            variants={flag.type === 'BOOLEAN' ? [] : flag.variants.map(({ key }) => key)}
            override={explain.steps.find(({ name }) => name === 'OVERRIDE')?.override ?? null}
            onChanged={onRefresh}
          />
        ) : null}
        <WatchCard key={question.userId} question={question} flagKey={flag.key} onFlagChanged={onRefresh} />
        {/* It is read elsewhere: the time has its date and its zone. */}
        <CopyCard text={`${explain.text} Revision ${count(explain.revision)}, ${exact(Date.now())}.`} />
      </aside>
    </div>
  );
}

/** Calls back when a value is another than the last time, and not the first time. */
function useChanged(value: number, onChange: () => void): void {
  const before = useRef(value);
  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    onChange();
  }, [value, onChange]);
}

function CopyCard({ text }: { readonly text: string }): ReactNode {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <section className={css.card} aria-labelledby="h-copy">
      <div className={css.cardHead}>
        <h2 id="h-copy">Text to paste</h2>
        <span className={css.end}>
          <Button small icon={isCopied ? 'check' : 'copy'} onClick={copy}>
            {isCopied ? 'Copied' : 'Copy'}
          </Button>
        </span>
      </div>
      <pre className={css.copy}>{text}</pre>
    </section>
  );
}

interface AskFormProps {
  readonly question: Question;
  readonly onAsk: (question: Question) => void;
  readonly onAgain: () => void;
}

function AskForm({ question, onAsk, onAgain }: AskFormProps): ReactNode {
  const [userId, setUserId] = useState(question.userId);
  const [flagKey, setFlagKey] = useState(question.flagKey);
  const id = useId();
  const [{ data }] = useQuery({ query: FlagKeys, variables: { search: flagKey === '' ? null : flagKey } });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const asked = { userId: userId.trim(), flagKey: flagKey.trim() };
    const isSame = asked.userId === question.userId && asked.flagKey === question.flagKey;
    if (isSame) onAgain();
    else onAsk({ ...asked, attributes: asked.userId === question.userId ? question.attributes : null });
  };
  return (
    <form className={css.ask} onSubmit={submit}>
      <label>
        <span>User id</span>
        <input
          className={css.input}
          required
          value={userId}
          autoComplete="off"
          onChange={event => setUserId(event.target.value)}
        />
      </label>
      <label>
        <span>Flag</span>
        <input
          className={css.input}
          required
          value={flagKey}
          list={id}
          autoComplete="off"
          onChange={event => setFlagKey(event.target.value)}
        />
        <datalist id={id}>
          {data?.flags.nodes.map(({ key, name }) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </datalist>
      </label>
      <Button kind="primary" type="submit" disabled={userId.trim() === '' || flagKey.trim() === ''}>
        Explain
      </Button>
    </form>
  );
}
