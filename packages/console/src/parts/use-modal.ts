import { type RefObject, useLayoutEffect } from 'react';

/** Opens a dialog for as long as it is there. It is closed before it goes, since only this gives the focus back to where it was. */
export function useModal(dialog: RefObject<HTMLDialogElement | null>): void {
  useLayoutEffect(() => {
    const opened = dialog.current;
    if (opened?.open === false) opened.showModal();
    return () => opened?.close();
  }, [dialog]);
}
