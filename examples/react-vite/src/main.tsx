import { createClient } from '@halyard/client';
import { HalyardProvider, useFeature, useStatus, useValue } from '@halyard/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

const client = createClient({ url: '/' });

function Page() {
  const hasBanner = useFeature('banner');
  const theme = useValue('theme', 'light');
  const { status } = useStatus();
  return (
    <main data-theme={theme}>
      {hasBanner && <p>Free shipping today</p>}
      <footer>{status}</footer>
    </main>
  );
}

createRoot(document.getElementById('app') as HTMLElement).render(
  <StrictMode>
    <HalyardProvider client={client}>
      <Page />
    </HalyardProvider>
  </StrictMode>,
);
