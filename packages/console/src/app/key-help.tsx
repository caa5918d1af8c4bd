import { type ReactNode, useEffect, useRef, useSyncExternalStore } from 'react';
import { Button } from '../parts/button.js';
import { areLettersOn } from '../parts/keys.js';
import css from './key-help.module.css';
import { places } from './screens.js';

const keys: readonly (readonly [string, readonly string[]])[] = [
  ['Search', ['/']],
  ['Move in lists', ['↑', '↓', 'J', 'K']],
  ['Open', ['Enter']],
  ['Switch the flag of the row', ['Space']],
  ['Select the row', ['X']],
  ['Select up to the row', ['Shift', 'X']],
  ['Edit the flag', ['E']],
  ['New flag', ['N']],
  ['Save', ['Ctrl', 'Enter']],
  ['Discard the changes, after asking', ['Esc']],
  ['Move a rule', ['Alt', '↑', '↓']],
  ['Undo the last save', ['Ctrl', 'Z']],
  ['Clear the search, then leave it', ['Esc']],
  ['This list', ['?']],
];

/** All keys, and the switch for those that are single letters. */
export function KeyHelp({ isOpen, onClose }: { readonly isOpen: boolean; readonly onClose: () => void }): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOn = useSyncExternalStore(areLettersOn.subscribe, areLettersOn.get);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby="keys-title" onClose={onClose}>
      <h2 id="keys-title">Keys</h2>
      <dl>
        {[
          ...keys,
          ...places.map(({ name, shortcut }) => [`Go to ${name}`, ['G', shortcut.toUpperCase()]] as const),
        ].map(([what, names]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>
              {names.map(name => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <label>
        <input type="checkbox" checked={isOn} onChange={() => areLettersOn.set(!isOn)} /> Single letters are shortcuts
      </label>
      <div className={css.actions}>
        <Button onClick={onClose}>Close</Button>
      </div>
    </dialog>
  );
}
