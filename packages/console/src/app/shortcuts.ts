import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { areLettersOn, isTyping } from '../parts/keys.js';
import { places } from './screens.js';

/** Milliseconds in which the second key of two must come. */
const patience = 1_500;

/** The keys that work on every screen: `g` and the letter of a screen, and `?`. */
export function useShortcuts(): { readonly value: boolean; readonly close: () => void } {
  const [, go] = useLocation();
  const [isHelpOpen, setHelpOpen] = useState(false);
  useEffect(() => {
    let wentAt = Number.NEGATIVE_INFINITY;
    const press = (event: KeyboardEvent) => {
      if (isTyping(event) || event.defaultPrevented) return;
      if (event.key === '?') {
        setHelpOpen(true);
        return;
      }
      if (!areLettersOn.get()) return;
      const place =
        performance.now() - wentAt < patience ? places.find(({ shortcut }) => shortcut === event.key) : undefined;
      wentAt = event.key === 'g' ? performance.now() : Number.NEGATIVE_INFINITY;
      if (place === undefined) return;
      event.preventDefault();
      go(place.path);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [go]);
  return { value: isHelpOpen, close: () => setHelpOpen(false) };
}
