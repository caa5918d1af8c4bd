import type { ReactNode } from 'react';
import { useWho } from '../data/who.js';
import { gainsAndLoses } from '../words/numbers.js';
import { ConfirmDialog } from './confirm-dialog.js';
import { Receipt } from './receipt.js';
import type { Commit } from './use-commit.js';

/** What a change waits for, and what has become of it: the confirmation on a protected server, the receipt, and Undo. */
export function Outcome({ commit }: { readonly commit: Commit }): ReactNode {
  const { server } = useWho();
  const { waiting, done } = commit;
  const environment = server.environment ?? null;
  return (
    <>
      {waiting === null ? null : (
        <ConfirmDialog
          title={`Save to ${environment ?? 'this server'}?`}
          environment={environment}
          onCancel={commit.cancel}
          onConfirm={() => waiting.send(waiting.preview.confirm)}
        >
          {gainsAndLoses(waiting.preview.gain, waiting.preview.lose, waiting.preview.isComplete)}.
        </ConfirmDialog>
      )}
      {done === null ? null : (
        <Receipt
          key={done.revision}
          label={done.label}
          revision={done.revision}
          onUndo={done.batch === null ? null : () => commit.undo('Taken back.', done.batch as string)}
          onDismiss={() => commit.show(null)}
        />
      )}
    </>
  );
}
