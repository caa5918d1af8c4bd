import { createRoot } from 'react-dom/client';
import { App } from './app/app.js';
import { keepFocus } from './app/focus-keeper.js';
import { redeemCode } from './data/session.js';

await redeemCode();
// An address with a code that is pasted into an open console loads no page.
addEventListener('hashchange', redeemCode);
const root = document.getElementById('console') as HTMLElement;
keepFocus(root);
createRoot(root).render(<App />);
