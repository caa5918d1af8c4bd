/** What the Tab key stops at. */
const stops = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
/** Parts that come and go above a screen: when one goes, the focus goes back to where it was before. */
const passing = 'dialog, [popover], [role="status"], [role="alert"]';

/** Where the focus was. */
interface Spot {
  readonly element: HTMLElement;
  /** What is around it, from the inside out, each with the number of its child that leads there. */
  readonly around: readonly (readonly [Element, number])[];
  readonly passes: boolean;
  /** Whether the browser shows the focus: the reader uses the keyboard. */
  readonly isShown: boolean;
}

/**
 * Keeps the focus near where it was when its element goes away, or waits, disabled, for the server. The browser would give it to the
 * body, and whoever uses the keyboard or a reader of screens would begin at the top again. Components that move the
 * focus themselves do it in a layout effect, and come first: this looks in the next frame, and only if nothing has the focus.
 * An effect of the other kind may come later than that frame.
 * @param root where all screens and dialogs are.
 */
export function keepFocus(root: HTMLElement): void {
  let last: Spot | null = null;
  let lastBelow: Spot | null = null;
  let isWaiting = false;
  let frame = 0;

  const look = () => {
    frame = 0;
    if (document.activeElement !== document.body) return;
    if (last?.passes && isGone(last.element)) {
      last = lastBelow;
      if (last !== null && isStop(last.element)) return give(last.element, last);
      if (last === null) return;
    }
    if (last === null) return;
    if (isGone(last.element)) return give(nearest(last), last);
    if (last.element.matches(':disabled')) isWaiting = true;
    else if (isWaiting) give(last.element, last);
  };
  const soon = () => {
    if (frame === 0) frame = requestAnimationFrame(look);
  };
  document.addEventListener('focusin', ({ target }) => {
    if (!(target instanceof HTMLElement)) return;
    last = spotOf(target);
    if (!last.passes) lastBelow = last;
    isWaiting = false;
  });
  document.addEventListener('focusout', ({ target }) => {
    // After what removes or disables it has run. If it is still as it was, its reader has left it, and wants no focus.
    queueMicrotask(() => {
      const isLeft = target instanceof HTMLElement && !isGone(target) && !target.matches(':disabled');
      if (isLeft && document.activeElement === document.body && last?.element === target) last = lastBelow = null;
    });
  });
  new MutationObserver(soon).observe(root, {
    childList: true,
    subtree: true,
    attributeFilter: ['disabled', 'hidden', 'open'],
  });
}

function spotOf(element: HTMLElement): Spot {
  const around: [Element, number][] = [];
  for (let inner: Element = element; inner.parentElement !== null; inner = inner.parentElement) {
    around.push([inner.parentElement, [...inner.parentElement.children].indexOf(inner)]);
    if (inner.parentElement.localName === 'main') break;
  }
  return { element, around, passes: element.closest(passing) !== null, isShown: element.matches(':focus-visible') };
}

const isGone = (element: Element) => !element.isConnected || !element.checkVisibility();

const isStop = (element: HTMLElement) =>
  element.matches(stops) && element.tabIndex >= 0 && !element.matches(':disabled') && !isGone(element);

/** What has taken the place of an element, else what comes after it, else before it, in the smallest part of the screen that is left. */
function nearest({ around, isShown }: Spot): HTMLElement | null {
  for (const [part, index] of around) {
    if (isGone(part)) continue;
    const all = [...part.querySelectorAll<HTMLElement>(stops)].filter(
      element =>
        isStop(element) &&
        element.closest(passing) === null &&
        // On a touch screen a field would open its keyboard.
        (isShown || !element.matches('input, select, textarea')),
    );
    const next = part.children[index];
    const isNext = (element: Element) =>
      next !== undefined &&
      (next.contains(element) || (next.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0);
    const found = all.find(isNext) ?? all.at(-1);
    if (found !== undefined) return found;
  }
  return document.querySelector('main');
}

function give(element: HTMLElement | null, { isShown }: Spot): void {
  element?.focus({ preventScroll: !isShown });
}
