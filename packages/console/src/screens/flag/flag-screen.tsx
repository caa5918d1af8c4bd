import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import type { FlagPageQuery } from '../../data/generated/graphql.js';
import { patchOf } from '../../draft/draft.js';
import type { SavedFlag } from '../../draft/fields.js';
import { namedIssues } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { ConfirmDialog } from '../../parts/confirm-dialog.js';
import { Empty } from '../../parts/empty.js';
import { Icon } from '../../parts/icon.js';
import { whyPath } from '../../parts/paths.js';
import { Receipt } from '../../parts/receipt.js';
import { SentenceText } from '../../parts/sentence-text.js';
import { Switch } from '../../parts/switch.js';
import { type Done, useCommit } from '../../parts/use-commit.js';
import { useNow } from '../../parts/use-now.js';
import { count, gainsAndLoses } from '../../words/numbers.js';
import { sentence } from '../../words/sentence.js';
import { ConflictBanner } from './conflicts.js';
import { Details } from './details.js';
import { FlagPage, RemoveOverride, SetOverride } from './documents.js';
import type { Editing } from './editing.js';
import css from './flag.module.css';
import { FlagHistory } from './history.js';
import { Overrides } from './overrides.js';
import { AudienceCard, DraftCard, saveWords } from './rail.js';
import { Rules } from './rules.js';
import { useFlagDraft } from './use-flag-draft.js';
import { useOtherSave } from './use-other-save.js';
import { usePreview } from './use-preview.js';
import { Variants } from './variants.js';

export interface FlagScreenProps {
  readonly flagKey: string;
  readonly canEdit: boolean;
  readonly isLive: boolean;
  /** What a protected server asks to type; null if it has no name. */
  readonly environment: string | null;
}

/** One flag: who gets it, what would change, and what has changed. */
export function FlagScreen({ flagKey, ...rest }: FlagScreenProps): ReactNode {
  const [{ data, error, fetching }, ask] = useQuery({ query: FlagPage, variables: { key: flagKey } });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const flag = data?.flag;
  if (flag !== null && flag !== undefined) return <FlagView key={flag.key} flag={flag} onRefresh={refresh} {...rest} />;
  if (fetching) return <Skeleton />;
  if (error !== undefined) {
    return (
      <Empty title="This flag could not be read.">
        {error.graphQLErrors[0]?.message ?? 'The server does not answer.'} <Button onClick={refresh}>Try again</Button>
      </Empty>
    );
  }
  return <Empty title={`No flag has the key ${flagKey}.`}>It was deleted, or the address has a mistake.</Empty>;
}

function Skeleton(): ReactNode {
  return (
    <div className={css.bones} role="status" aria-label="Loading">
      <span />
      <span />
      <span />
    </div>
  );
}

type FlagData = NonNullable<FlagPageQuery['flag']>;

interface FlagViewProps extends Omit<FlagScreenProps, 'flagKey'> {
  readonly flag: FlagData;
  readonly onRefresh: () => void;
}

function FlagView({ flag, canEdit, isLive, environment, onRefresh }: FlagViewProps): ReactNode {
  const saved = useMemo(() => flag as unknown as SavedFlag, [flag]);
  const { draft, dispatch, changes, issues: certain } = useFlagDraft(saved);
  const [note, setNote] = useState('');
  const [done, setDone] = useState<Done | null>(null);
  const [ownVersion, setOwnVersion] = useState(0);
  const now = useNow();
  const onDone = (made: Done) => {
    setDone(made);
    onRefresh();
  };
  const commit = useCommit({
    onFlag: changed => {
      if (changed.key === flag.key) dispatch({ type: 'saved', flag: changed });
    },
    onDone,
  });
  const overrideCommit = useCommit({ onFlag: () => undefined, onDone });
  const canPreview = canEdit && changes.length > 0 && certain.length === 0;
  const preview = usePreview(canPreview ? patchOf(draft) : null);
  const refused = namedIssues(changes.length > 0 ? [...commit.issues, ...preview.issues] : [], draft.fields);
  const issues = [
    ...certain,
    ...refused.filter(one => !certain.some(({ path }) => path.join('/') === one.path.join('/'))),
  ];
  const editing: Editing = { draft, dispatch, changes, issues, canEdit };
  const history = flag.changes.nodes;
  /** Those of a flag that is on or off are no variants to people. */
  const variants = saved.type === 'BOOLEAN' ? [] : saved.variants;
  const other = useOtherSave(saved, ownVersion, history);
  const canSave = changes.length > 0 && certain.length === 0 && !commit.isBusy;

  const save = async () => {
    if (!canSave) return;
    setOwnVersion(draft.saved.version + 1);
    const label = savedWords(changes.map(({ path }) => path));
    if (await commit.update(label, { ...patchOf(draft), ...(note.trim() === '' ? {} : { note: note.trim() }) })) {
      setNote('');
      other.dismiss();
    }
  };
  const toggle = () => {
    setOwnVersion(draft.saved.version + 1);
    return commit.update(saved.enabled ? 'Switched off.' : 'Switched on.', { key: flag.key, enabled: !saved.enabled });
  };
  const discard = () => {
    dispatch({ type: 'discard' });
    commit.clear();
    setNote('');
    other.dismiss();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void save();
    }
  };
  useLeaveWarning(changes.length > 0);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Ctrl and Enter saves from anywhere on the page
    <div className={css.page} onKeyDown={onKeyDown}>
      <Head flag={flag} canEdit={canEdit} isBusy={commit.isBusy} onToggle={toggle} />
      {other.save !== null && (changes.length > 0 || draft.conflicts.length > 0) ? (
        <ConflictBanner
          save={other.save}
          changes={changes.length}
          conflicts={draft.conflicts}
          dispatch={dispatch}
          onDismiss={other.dismiss}
        />
      ) : null}
      <Tabs flag={flag} />
      <div className={css.columns}>
        <div>
          <Rules editing={editing} />
          {saved.type === 'BOOLEAN' ? null : <Variants editing={editing} />}
          <Overrides
            overrides={flag.overrides.nodes}
            total={flag.overrides.totalCount}
            variants={variants}
            canEdit={canEdit}
            isBusy={overrideCommit.isBusy}
            issues={overrideCommit.issues}
            now={now}
            onSet={input =>
              overrideCommit.send(`Set the override of ${input.userId}.`, SetOverride, { flagKey: flag.key, ...input })
            }
            onRemove={userId =>
              overrideCommit.send(`Removed the override of ${userId}.`, RemoveOverride, { flagKey: flag.key, userId })
            }
          />
          <Details editing={editing} />
          <FlagHistory
            changes={history}
            now={now}
            canEdit={canEdit}
            isLive={isLive}
            onRevert={({ revision }) =>
              commit.revert(`Brought back revision ${count(revision)}.`, { key: flag.key, revision })
            }
          />
        </div>
        <aside className={css.rail} aria-label="Live and draft">
          <AudienceCard
            flagKey={flag.key}
            variants={variants.map(({ key }) => key)}
            offVariant={saved.offVariant}
            isLive={isLive}
          />
          {changes.length > 0 ? (
            <DraftCard
              editing={editing}
              preview={preview}
              note={note}
              onNote={setNote}
              canSave={canSave}
              isBusy={commit.isBusy}
              fault={commit.fault ?? preview.fault}
              onSave={save}
              onDiscard={discard}
            />
          ) : commit.fault === null ? null : (
            <p className={css.fault} role="alert">
              {commit.fault}
            </p>
          )}
        </aside>
      </div>
      {changes.length > 0 ? (
        <section className={css.saveBar} aria-label="Unsaved changes">
          {preview.counted === null ? null : (
            <>
              <span>
                <b className={css.gain}>+{count(preview.counted.gain)}</b> gain
              </span>
              <span>
                <b className={css.lose}>−{count(preview.counted.lose)}</b> lose
              </span>
            </>
          )}
          <Button kind="primary" disabled={!canSave} onClick={save}>
            {saveWords(changes.length)}
          </Button>
        </section>
      ) : null}
      {commit.waiting === null ? null : (
        <ConfirmDialog
          title={`Save to ${environment ?? 'this server'}?`}
          environment={environment}
          onCancel={commit.cancel}
          onConfirm={() => commit.waiting?.send(commit.waiting.preview.confirm)}
        >
          {gainsAndLoses(commit.waiting.preview.gain, commit.waiting.preview.lose, commit.waiting.preview.isComplete)}.
        </ConfirmDialog>
      )}
      {done === null ? null : (
        <Receipt
          key={done.revision}
          label={done.label}
          revision={done.revision}
          onUndo={done.batch === null ? null : () => commit.undo('Taken back.', done.batch as string)}
          onDismiss={() => setDone(null)}
        />
      )}
    </div>
  );
}

function Head({
  flag,
  canEdit,
  isBusy,
  onToggle,
}: {
  flag: FlagData;
  canEdit: boolean;
  isBusy: boolean;
  onToggle: () => void;
}): ReactNode {
  const shape = flag as unknown as SavedFlag;
  const overrides = flag.overrides.nodes;
  const isWhole = overrides.length === flag.overrides.totalCount;
  const on = overrides.filter(({ enabled }) => enabled).length;
  const counted = isWhole ? { overrides: { on, off: overrides.length - on } } : {};
  return (
    <>
      <nav className={css.crumbs} aria-label="Path">
        <Link href="/">Flags</Link>
        <span aria-hidden="true">/</span>
        <span className={css.mono}>{flag.key}</span>
        <Link className={css.why} href={whyPath('', flag.key)}>
          <Icon name="why" />
          Why
        </Link>
      </nav>
      <div className={css.title}>
        {canEdit ? (
          <Switch isBig isOn={flag.enabled} isBusy={isBusy} label={flag.name} onChange={onToggle} />
        ) : (
          <span className={css.word}>{flag.enabled ? 'On' : 'Off'}</span>
        )}
        <h1>{flag.name}</h1>
      </div>
      <p className={css.sentence}>
        <SentenceText parts={sentence(shape, counted)} />
      </p>
    </>
  );
}

function Tabs({ flag }: { readonly flag: FlagData }): ReactNode {
  const tabs = [
    ['rules', 'Who gets this', null],
    ...(flag.type !== 'BOOLEAN' ? [['variants', 'Variants', flag.variants.length]] : []),
    ['overrides', 'Overrides', flag.overrides.totalCount],
    ['details', 'Details', null],
    ['history', 'History', null],
  ] as readonly (readonly [string, string, number | null])[];
  return (
    <nav className={css.tabs} aria-label="Sections">
      {tabs.map(([id, label, number], index) => (
        <a
          key={id}
          href={`#${id}`}
          aria-current={index === 0}
          onClick={event => {
            event.preventDefault();
            document.getElementById(id)?.scrollIntoView();
          }}
        >
          {label} {number === null ? null : <span className={css.num}>{count(number)}</span>}
        </a>
      ))}
    </nav>
  );
}

/** What a save says of itself: the one thing that was saved, or how many. */
function savedWords(paths: readonly (readonly string[])[]): string {
  const [first] = paths;
  const things = new Set(paths.map(path => path.slice(0, 2).join('/')));
  if (things.size === 1 && first?.[0] === 'rules' && first[1] !== undefined) return `Saved rule ${first[1]}.`;
  return paths.length === 1 ? 'Saved 1 change.' : `Saved ${paths.length} changes.`;
}

function useLeaveWarning(isDirty: boolean): void {
  useEffect(() => {
    if (!isDirty) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [isDirty]);
}
