import { createClient, type Snapshot } from '@halyard/client';
import { HalyardProvider } from '@halyard/client/react';
import { hydrateRoot } from 'react-dom/client';
import { App } from './app.js';

const read = (id: string) => JSON.parse(document.getElementById(id)?.textContent ?? '');
const { url, bootstrap } = read('halyard') as { url: string; bootstrap: Snapshot };

hydrateRoot(
  document.getElementById('app') as HTMLElement,
  <HalyardProvider client={createClient({ url, bootstrap })}>
    <App />
  </HalyardProvider>,
);
