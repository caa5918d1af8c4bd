import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useState } from 'react';
import { useQuery } from 'urql';
import { patchOf } from '../../draft/draft.js';
import type { SavedFlag } from '../../draft/fields.js';
import { namedIssues } from '../../draft/validate.js';
import { Button } from '../../parts/button.js';
import { ConfirmDialog } from '../../parts/confirm-dialog.js';
import { Empty } from '../../parts/empty.js';
import { Faulty } from '../../parts/faulty.js';
import { RemoveOverride, SetOverride } from '../../parts/flag-mutations.js';
import { Outcome } from '../../parts/outcome.js';
import { useCommit } from '../../parts/use-commit.js';
import { useLeaveWarning } from '../../parts/use-leave-warning.js';
import { useNow } from '../../parts/use-now.js';
import { count, plural } from '../../words/numbers.js';
import { ConflictBanner } from './conflicts.js';
import { DeletedFlag } from './deleted-flag.js';
import { Details } from './details.js';
import { FlagPage } from './documents.js';
import type { Editing } from './editing.js';
import css from './flag.module.css';
import { type FlagData, Head, Tabs } from './flag-head.js';
import { FlagHistory } from './history.js';
import { Overrides } from './overrides.js';
import { AudienceCard, DraftCard, saveWords, UsageCard } from './rail.js';
import { Rules } from './rules.js';
import { leftDraft, useFlagDraft } from './use-flag-draft.js';
import { useOtherSave } from './use-other-save.js';
import { usePreview } from './use-preview.js';
import { Variants } from './variants.js';

export interface FlagScreenProps {
  readonly flagKey: string;
  readonly canEdit: boolean;
  readonly isLive: boolean;
}

/** One flag: who gets it, what would change, and what has changed. */
export function FlagScreen({ flagKey, ...rest }: FlagScreenProps): ReactNode {
  const [{ data, error, fetching }, ask] = useQuery({ query: FlagPage, variables: { key: flagKey } });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const flag = data?.flag;
  if (flag !== null && flag !== undefined) return <FlagView key={flag.key} flag={flag} onRefresh={refresh} {...rest} />;
  if (fetching) return <Skeleton />;
  if (error !== undefined) {
    return <Faulty error={error} onRetry={refresh} />;
  }
  const draft = leftDraft(flagKey);
  if (draft !== undefined) return <DeletedFlag draft={draft} />;
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

interface FlagViewProps extends Omit<FlagScreenProps, 'flagKey'> {
  readonly flag: FlagData;
  readonly onRefresh: () => void;
}

function FlagView({ flag, canEdit, isLive, onRefresh }: FlagViewProps): ReactNode {
  const saved = useMemo(() => flag as unknown as SavedFlag, [flag]);
  const { draft, dispatch, changes, issues: certain } = useFlagDraft(saved);
  const [note, setNote] = useState('');
  const history = flag.changes.nodes;
  const other = useOtherSave({ flag: saved, updatedAt: flag.updatedAt, conflicts: draft.conflicts, history });
  const now = useNow();
  const commit = useCommit({
    onFlag: (changed, isOwn) => {
      if (isOwn) other.noteOwn(changed.version);
      if (changed.key === flag.key) dispatch({ type: 'saved', flag: changed });
    },
    onDone: () => {
      overrideCommit.show(null);
      onRefresh();
    },
  });
  // Apart, so that what is refused of an override is not told at a field of the flag.
  const overrideCommit = useCommit({
    onDone: () => {
      commit.show(null);
      onRefresh();
    },
  });
  const canPreview = canEdit && changes.length > 0 && certain.length === 0;
  const preview = usePreview(canPreview ? patchOf(draft) : null);
  const refused = namedIssues(changes.length > 0 ? [...commit.issues, ...preview.issues] : [], draft.fields);
  const issues = [
    ...certain,
    ...refused.filter(one => !certain.some(({ path }) => path.join('/') === one.path.join('/'))),
  ];
  const editing: Editing = { draft, dispatch, changes, issues, canEdit };
  /** Those of a flag that is on or off are no variants to people. */
  const variants = saved.type === 'BOOLEAN' ? [] : saved.variants;
  const canSave = changes.length > 0 && certain.length === 0 && !commit.isBusy;

  const save = async () => {
    if (!canSave) return;
    const label = savedWords(changes.map(({ path }) => path));
    if (await commit.update(label, { ...patchOf(draft), ...(note.trim() === '' ? {} : { note: note.trim() }) })) {
      setNote('');
      other.dismiss();
    }
  };
  const toggle = () =>
    commit.update(saved.enabled ? 'Switched off.' : 'Switched on.', { key: flag.key, enabled: !saved.enabled });
  const discard = () => {
    dispatch({ type: 'discard' });
    commit.clear();
    setNote('');
    other.dismiss();
  };
  const [isDiscarding, setDiscarding] = useState(false);
  useEscape(changes.length > 0 && canEdit, () => setDiscarding(true));
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
      {other.save !== null && !commit.isBusy && (changes.length > 0 || draft.conflicts.length > 0) ? (
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
            fault={overrideCommit.fault}
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
            flagKey={flag.key}
            changes={history}
            hasMore={flag.changes.pageInfo.hasNextPage}
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
          ) : commit.refusal === null ? null : (
            <p className={css.fault} role="alert">
              {commit.refusal}
            </p>
          )}
          <UsageCard flag={flag} now={now} />
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
      {isDiscarding ? (
        <ConfirmDialog
          title={`Discard ${plural(changes.length, 'change')}?`}
          environment={null}
          action="Discard"
          isFinal
          onCancel={() => setDiscarding(false)}
          onConfirm={() => {
            setDiscarding(false);
            discard();
          }}
        >
          The flag stays as it is saved.
        </ConfirmDialog>
      ) : null}
      <Outcome commit={commit} />
      <Outcome commit={overrideCommit} />
    </div>
  );
}

/** What a save says of itself: the one thing that was saved, or how many. */
function savedWords(paths: readonly (readonly string[])[]): string {
  const [first] = paths;
  const things = new Set(paths.map(path => path.slice(0, 2).join('/')));
  if (things.size === 1 && first?.[0] === 'rules' && first[1] !== undefined) return `Saved rule ${first[1]}.`;
  return paths.length === 1 ? 'Saved 1 change.' : `Saved ${paths.length} changes.`;
}

/** Escape means the draft, unless a dialog or a menu is open, or something inside has taken it. */
function useEscape(isOn: boolean, act: () => void): void {
  useEffect(() => {
    if (!isOn) return;
    const press = (event: globalThis.KeyboardEvent) => {
      const isOver = document.querySelector('dialog[open], :popover-open') !== null;
      if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing || isOver) return;
      // The same key would close the dialog that asks.
      event.preventDefault();
      act();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });
}
