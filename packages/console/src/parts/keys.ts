import { Store } from '../data/store.js';

const slot = 'halyard.shortcuts';

/** Whether single letters do something. Some people speak to their computer, and every word has letters. */
export const areLettersOn = new Store(localStorage.getItem(slot) !== 'off');

areLettersOn.subscribe(() => localStorage.setItem(slot, areLettersOn.get() ? 'on' : 'off'));

/** Whether a key belongs to a field, to the browser or to a dialog. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  const isField = target.matches('input:not([type=checkbox], [type=range]), textarea, select, [contenteditable]');
  return isField || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null;
}

/** Leaves a small form with Escape, as with its Cancel. */
export function onEscape(event: React.KeyboardEvent, leave: () => void): void {
  if (event.key !== 'Escape' || event.nativeEvent.isComposing) return;
  // What is around the form, such as a draft, is not meant.
  event.preventDefault();
  leave();
}
