import { createRoot } from 'react-dom/client';
import { App } from './app/app.js';
import { redeemCode } from './data/session.js';

await redeemCode();
createRoot(document.getElementById('console') as HTMLElement).render(<App />);
