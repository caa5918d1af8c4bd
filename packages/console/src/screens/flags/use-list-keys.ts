import { type KeyboardEvent, type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { areLettersOn, isTyping } from '../../parts/keys.js';
import type { ListedFlag } from './documents.js';

export interface ListActions {
  select(id: string): void;
  selectAll(ids: readonly string[]): void;
  flip(flag: ListedFlag): void;
  open(flag: ListedFlag): void;
  create(): void;
}

export interface ListKeys {
  readonly cursor: number;
  readonly setCursor: (index: number) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly flip: (flag: ListedFlag) => void;
  readonly select: (index: number, isRange: boolean) => void;
  /** Puts the focus where the arrow keys are. */
  readonly focus: () => void;
}

/** One place in the list that the arrow keys move, and what keys do there. */
export function useListKeys(
  table: RefObject<HTMLElement | null>,
  flags: readonly ListedFlag[],
  actions: ListActions,
): ListKeys {
  const [wanted, setCursor] = useState(0);
  const cursor = Math.min(wanted, Math.max(flags.length - 1, 0));
  const anchor = useRef(0);
  // The rows keep these functions, and are not rendered again because of them.
  const now = useRef({ flags, actions, cursor });
  now.current = { flags, actions, cursor };

  const flip = useCallback((flag: ListedFlag) => now.current.actions.flip(flag), []);
  const select = useCallback((index: number, isRange: boolean) => {
    const { flags: rows, actions: acts } = now.current;
    if (isRange) {
      const [from, to] = [Math.min(anchor.current, index), Math.max(anchor.current, index)];
      acts.selectAll(rows.slice(from, to + 1).map(({ id }) => id));
    } else {
      const row = rows[index];
      if (row !== undefined) acts.select(row.id);
    }
    anchor.current = index;
  }, []);
  const focus = (index: number) => {
    const row = table.current?.querySelector<HTMLElement>(`[data-index="${index}"] [data-link]`);
    row?.focus();
    row?.scrollIntoView({ block: 'nearest' });
  };
  const move = (by: number) => {
    const { flags: rows, cursor: from } = now.current;
    const to = Math.max(0, Math.min(rows.length - 1, from + by));
    setCursor(to);
    focus(to);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const flag = flags[cursor];
    const isOnLink = (event.target as HTMLElement).matches('[data-link]');
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: 10,
      PageUp: -10,
      Home: -1e9,
      End: 1e9,
    };
    const by = moves[event.key];
    if (by !== undefined) move(by);
    else if (event.key === ' ' && isOnLink && flag !== undefined) {
      if (!event.repeat) actions.flip(flag);
    } else return;
    event.preventDefault();
  };

  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent) => {
      if (isTyping(event) || event.defaultPrevented || !areLettersOn.get()) return;
      const { flags: rows, actions: acts, cursor: at } = now.current;
      const flag = rows[at];
      const keys: Readonly<Record<string, () => void>> = {
        '/': () => document.getElementById('search')?.focus(),
        j: () => move(1),
        k: () => move(-1),
        n: () => acts.create(),
        ...(flag === undefined
          ? {}
          : { x: () => select(at, false), X: () => select(at, true), e: () => acts.open(flag) }),
      };
      const act = keys[event.key];
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });

  return { cursor, setCursor, onKeyDown, flip, select, focus: () => focus(cursor) };
}
